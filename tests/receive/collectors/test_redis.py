"""Redis: every count is exact, on a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from tests.receive.collectors.conftest import settings_of
from tests.services import Service

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.receive.collectors.naming import Naming
from streamgauge.receive.collectors.redis_keys import (
    MAX_REMEMBERED,
    REMEMBERED_S,
    Remembered,
    Walk,
)
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker


@pytest.fixture
def client(redis_server: Service) -> Iterator[redis.Redis]:
    """An empty Redis."""
    found = redis.Redis(port=redis_server.port, decode_responses=True)
    found.flushall()
    yield found
    found.close()


def looked(server: Service, naming: Naming | None = None, **more: str) -> Bench:
    """What one look finds."""
    url = f"redis://127.0.0.1:{server.port}"
    return bench_of(settings_of("redis", url, naming=naming, **more)).look()


def test_groups_of_streams(client: redis.Redis, redis_server: Service) -> None:
    first_ms = int((time.time() - 90) * 1000)
    for number in range(10):
        client.xadd("orders", {"n": number}, id=f"{first_ms + number * 1000}-0")
    client.xgroup_create("orders", "mail", "0")
    client.xgroup_create("orders", "ga4", "0")
    read = client.xreadgroup("mail", "worker-1", {"orders": ">"}, count=6)
    ids = [one[0] for one in read[0][1]]
    client.xack("orders", "mail", *ids[:2])

    bench = looked(redis_server)
    mail, ga4 = bench.last("orders/mail"), bench.last("orders/ga4")
    assert mail
    assert ga4
    names = ("backlog", "in_flight", "in_total", "out_total", "consumers")
    assert [mail[name] for name in names] == [4, 4, 10, 2, 1]
    assert [ga4[name] for name in names] == [10, 0, 10, 0, 0]
    # the third message is in somebody's hands; the first one waits for ga4
    assert mail["oldest_age_s"] == pytest.approx(88, abs=5)
    assert ga4["oldest_age_s"] == pytest.approx(90, abs=5)
    assert ga4["oldest_age_s"] - mail["oldest_age_s"] == pytest.approx(2, abs=0.1)
    assert {one.oldest_age_method for one in bench.health.queues} == {AgeMethod.HEAD}


def test_a_group_that_has_read_all_waits_for_nothing(
    client: redis.Redis, redis_server: Service
) -> None:
    done = client.xadd("orders", {"n": 1})
    client.xgroup_create("orders", "mail", "0")
    client.xreadgroup("mail", "worker-1", {"orders": ">"})
    client.xack("orders", "mail", done)
    row = looked(redis_server).last("orders/mail")
    assert row
    assert (row["backlog"], row["oldest_age_s"], row["in_flight"]) == (0, 0, 0)


def test_streams_without_a_group_lists_and_nothing_else(
    client: redis.Redis, redis_server: Service
) -> None:
    for number in range(3):
        client.xadd("dead", {"n": number}, id=f"{int((time.time() - 40) * 1000)}-{number}")
    client.xadd("by-hand", {"n": 1}, id="1-1")
    client.rpush("jobs", *range(7))
    client.set("a-string", "x")
    client.zadd("a-set", {"x": 1})
    bench = looked(redis_server)
    rows = {row["queue"]: row for row in bench.rows}
    assert rows.keys() == {"dead", "by-hand", "jobs"}
    assert rows["dead"]["backlog"] == 3
    assert rows["dead"]["oldest_age_s"] == pytest.approx(40, abs=5)
    assert rows["by-hand"]["oldest_age_s"] is None, "its ids are no times"
    assert rows["jobs"]["backlog"] == 7
    unknown = ("oldest_age_s", "in_total", "out_total", "consumers", "in_flight")
    assert all(rows["jobs"][name] is None for name in unknown)


def test_a_list_that_is_empty_is_no_key_and_yet_a_queue(
    client: redis.Redis, redis_server: Service
) -> None:
    bench = bench_of(settings_of("redis", f"redis://127.0.0.1:{redis_server.port}"))

    def backlog_is(expected: int) -> Callable[[Bench], bool]:
        return lambda b: (b.last("jobs") or {}).get("backlog") == expected

    async def scene() -> None:
        client.rpush("jobs", 1)
        async with bench.running():
            await bench.until(backlog_is(1))
            client.lpop("jobs")
            await bench.until(backlog_is(0))
            client.rpush("jobs", 1, 2)
            await bench.until(backlog_is(2))

    asyncio.run(scene())
    row = bench.last("jobs")
    assert row
    assert 0 < row["oldest_age_s"] < 15, "it was seen empty a moment ago"
    assert bench.health.queues[0].oldest_age_method is AgeMethod.POSITION


def test_lists_are_remembered_for_a_day_and_not_without_end() -> None:
    names = Remembered()
    assert names.with_those(["a", "b"], 0.0) == {"a", "b"}
    assert names.with_those(["b"], REMEMBERED_S) == {"a", "b"}
    assert names.with_those([], REMEMBERED_S + 1) == {"b"}
    many = [f"reply-{number}" for number in range(2 * MAX_REMEMBERED)]
    assert len(names.with_those(many, REMEMBERED_S + 2)) == MAX_REMEMBERED


def test_names_that_are_given_need_no_scan(client: redis.Redis, redis_server: Service) -> None:
    client.rpush("jobs", 1)
    client.rpush("other", 1)
    client.xadd("orders", {"n": 1})
    client.xgroup_create("orders", "mail", "0")
    client.config_resetstat()
    bench = looked(redis_server, Naming(include=("jobs", "orders/mail", "gone")))
    assert {row["queue"] for row in bench.rows} == {"jobs", "orders/mail"}
    assert [one.queue for one in bench.health.unseen] == ["gone"]
    assert "cmdstat_scan" not in client.info("commandstats")


def test_a_large_key_space_is_walked_in_parts() -> None:
    walk = Walk("list")
    walk.take(17, ["a", "b"])
    assert walk.known == {"a", "b"}
    walk.take(0, ["c"])
    assert walk.known == {"a", "b", "c"}
    walk.take(17, ["c", "d"])
    assert walk.known == {"a", "b", "c", "d"}, "what is not yet met again is not yet gone"
    walk.take(0, [])
    assert walk.known == {"c", "d"}


def test_who_may_not_read_is_told_so(client: redis.Redis, redis_server: Service) -> None:
    client.acl_setuser("blind", enabled=True, passwords=["+s3cret"], commands=["+ping", "+hello"])
    client.acl_setuser(
        "half", enabled=True, passwords=["+s3cret"], categories=["+@all"], keys=["jobs*"]
    )
    client.rpush("jobs", 1)
    client.rpush("secrets", 1)
    try:
        blind = looked(redis_server, username="blind", password="s3cret").health
        assert blind.fault is Fault.PERMISSION
        assert f"127.0.0.1:{redis_server.port} does not let blind read queues" in blind.last_error
        wrong = looked(redis_server, username="blind", password="oth3r").health
        assert wrong.fault is Fault.CREDENTIALS
        assert "does not accept the credentials (user blind)" in wrong.last_error
        assert "oth3r" not in wrong.last_error
        half = looked(redis_server, username="half", password="s3cret")
        assert {row["queue"] for row in half.rows} == {"jobs"}
        assert [one.queue for one in half.health.unseen] == ["secrets"]
    finally:
        client.acl_deluser("blind", "half")
