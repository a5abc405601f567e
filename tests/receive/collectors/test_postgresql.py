"""PostgreSQL: what the query tells, and nothing that it may not do."""

from __future__ import annotations

import psycopg
import pytest
from tests.receive.collectors.conftest import settings_of
from tests.services import Service

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker

JOBS = """
CREATE TABLE IF NOT EXISTS jobs (
  id bigserial PRIMARY KEY, customer text, kind text, created_at timestamptz, taken_at timestamptz,
  done_at timestamptz);
TRUNCATE jobs RESTART IDENTITY;
INSERT INTO jobs (customer, kind, created_at, taken_at, done_at) SELECT
  CASE WHEN n % 2 = 0 THEN 'acme' ELSE 'tiny' END, 'mail', now() - make_interval(secs => 100 - n),
  CASE WHEN n <= 6 THEN now() END, CASE WHEN n <= 4 THEN now() END FROM generate_series(1, 10) n;
"""
QUERY = """
SELECT 'jobs.' || kind AS queue, customer AS tenant,
  count(*) FILTER (WHERE taken_at IS NULL) AS backlog,
  count(*) FILTER (WHERE taken_at IS NOT NULL AND done_at IS NULL) AS in_flight,
  now() - min(created_at) FILTER (WHERE done_at IS NULL) AS oldest_age_s,
  count(*) AS in_total, count(done_at)::numeric AS out_total, NULL::int AS consumers
FROM jobs GROUP BY kind, customer ORDER BY customer;
"""


@pytest.fixture(scope="module")
def url(postgresql_server: Service) -> str:
    """A database with jobs."""
    address = f"postgresql://postgres@127.0.0.1:{postgresql_server.port}/postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(JOBS)
        connection.execute("CREATE ROLE watcher LOGIN PASSWORD 's3cret'")
    return address


def looked(url: str, query: str, **more: str | float) -> Bench:
    """What one look finds."""
    return bench_of(settings_of("postgresql", url, query=query, **more)).look()


def test_the_columns_are_the_reading(url: str) -> None:
    bench = looked(url, QUERY)
    acme, tiny = bench.rows
    names = ("queue", "tenant", "backlog", "in_flight", "in_total", "out_total", "consumers")
    assert [acme[name] for name in names] == ["jobs.mail", "acme", 2, 1, 5, 2, None]
    assert [tiny[name] for name in names] == ["jobs.mail", "tiny", 2, 1, 5, 2, None]
    assert acme["oldest_age_s"] - tiny["oldest_age_s"] == pytest.approx(-1)
    assert {one.oldest_age_method for one in bench.health.queues} == {AgeMethod.QUERY}


def test_a_query_of_one_queue_needs_no_name(url: str) -> None:
    (row,) = looked(url, "SELECT count(*) AS backlog FROM jobs").rows
    assert (row["queue"], row["backlog"], row["oldest_age_s"]) == ("test-postgresql", 10, None)


@pytest.mark.parametrize(
    ("query", "fault", "text"),
    [
        ("SELECT 1 AS depth", Fault.ANSWER, "the query has a column depth: accepted are queue, "),
        ("SELECT 'a' AS queue", Fault.ANSWER, "the query tells nothing of a queue"),
        ("SELECT 'x' AS backlog", Fault.ANSWER, "column backlog holds 'x': it has to be a number"),
        ("SELECT true AS backlog", Fault.ANSWER, "holds True: it has to be a number"),
        (
            "SELECT count(*) AS backlog FROM job",
            Fault.GONE,
            'the query names what is not there: relation "job" does not exist',
        ),
        (
            "SELEC 1",
            Fault.ANSWER,
            "`query` has to be one SELECT that changes nothing: syntax error",
        ),
        ("DELETE FROM jobs", Fault.ANSWER, "`query` has to be one SELECT that changes nothing"),
        (
            "SELECT 1 AS backlog; DELETE FROM jobs",
            Fault.ANSWER,
            "`query` has to be one SELECT that changes nothing",
        ),
        (
            "SELECT nextval('jobs_id_seq') AS backlog",
            Fault.ANSWER,
            "`query` has to be one SELECT that changes nothing: cannot execute nextval() in a "
            "read-only transaction",
        ),
        ("SELECT 1 / 0 AS backlog", Fault.ANSWER, "the query fails: division by zero"),
    ],
    ids=[
        "a column that is not known",
        "no number at all",
        "a text for a number",
        "a truth for a number",
        "a table that is not there",
        "a mistake",
        "a change",
        "a change behind it",
        "a change within it",
        "an error",
    ],
)
def test_what_cannot_be_used_is_told(url: str, query: str, fault: Fault, text: str) -> None:
    health = looked(url, query).health
    assert health.fault is fault
    assert text in health.last_error
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*), max(id) FROM jobs").fetchone() == (10, 10)


def test_a_query_that_takes_too_long_is_ended_at_the_server(url: str) -> None:
    slow = "SELECT 1 AS backlog FROM pg_sleep(3600)"
    health = looked(url, slow, timeout_s=0.3, every_s=60.0).health
    assert health.fault is Fault.HANGS
    left = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%'"
    with psycopg.connect(url) as connection:
        assert connection.execute(f"{left} AND pid <> pg_backend_pid()").fetchone() == (0,)


def test_who_may_not_read_is_told_so(url: str) -> None:
    own = url.replace("postgres@", "")
    query = "SELECT count(*) AS backlog FROM jobs"
    wrong = looked(own, query, username="watcher", password="wr0ng").health
    assert wrong.fault is Fault.CREDENTIALS
    assert "wr0ng" not in wrong.last_error
    right = looked(own, query, username="watcher", password="s3cret").health
    assert right.fault is Fault.PERMISSION
    assert "permission denied for table jobs" in right.last_error
    gone = looked(url.replace("/postgres", "/nowhere").replace("//nowhere", "//postgres"), query)
    assert gone.health.fault is Fault.GONE
    assert 'database "nowhere" does not exist' in gone.health.last_error


def test_a_new_password_is_taken_up(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("secrets") / "password"
    own = url.replace("postgres@", "watcher@")
    query = "SELECT 1 AS backlog"
    secret.write_text("expired\n")
    bench = bench_of(settings_of("postgresql", own, query=query, password_file=str(secret)))
    assert bench.look().health.fault is Fault.CREDENTIALS
    secret.write_text("s3cret\n")
    bench = bench_of(settings_of("postgresql", own, query=query, password_file=str(secret)))
    assert bench.look().last("test-postgresql")
