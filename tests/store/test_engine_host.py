"""The embedded engine behind ClickHouse's HTTP protocol, asked by ClickHouse's own client."""

from __future__ import annotations

import gzip
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from streamgauge.model.errors import StoreError
from streamgauge.store.host.process import EngineProcess

pytestmark = [pytest.mark.chdb, pytest.mark.process]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    process = EngineProcess(tmp_path_factory.mktemp("host") / "engine", print)
    process.start(within_s=60)
    yield process
    process.stop(within_s=30)


def connect(host: EngineProcess, **options: Any) -> Client:
    url = urllib.parse.urlsplit(host.url)
    known: dict[str, Any] = {
        "host": url.hostname,
        "port": url.port,
        "username": url.username,
        "password": urllib.parse.unquote(url.password or ""),
        "autogenerate_session_id": False,
    }
    return clickhouse_connect.get_client(**(known | options))


@pytest.fixture
def table(host: EngineProcess) -> Iterator[str]:
    with connect(host) as client:
        client.command(
            "CREATE TABLE t (a UInt64, s LowCardinality(String)) ENGINE = MergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
        yield "t"
        client.command("DROP TABLE t")


def answer_of(host: EngineProcess, query: str, body: bytes | None = None, **headers: str) -> Any:
    """Status, headers and body of a bare request with credentials."""
    url = urllib.parse.urlsplit(host.url)
    key = urllib.parse.unquote(url.password or "")
    named = {"X-ClickHouse-User": str(url.username), "X-ClickHouse-Key": key, **headers}
    address = f"http://127.0.0.1:{url.port}/?{query}"
    request = urllib.request.Request(address, data=body, headers=named)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_rows_go_in_and_come_out_whatever_packs_them(
    host: EngineProcess, table: str, compress: bool | str
) -> None:
    text = "a'b\\c\n\n;DROP TABLE t;\nINSERT INTO t FORMAT TSV\n"
    with connect(host, compress=compress) as client:
        client.insert(table, [[1, text], [2, "ä" * 100_000]], column_names=["a", "s"])
        client.insert_arrow(table, pa.table({"a": pa.array([3], pa.uint64()), "s": [text]}))
        rows = client.query("SELECT a, s FROM t WHERE s = {s:String}", {"s": text}).result_rows
        assert sorted(rows) == [(1, text), (3, text)]
        long = client.query("SELECT {s:String}", {"s": "x" * 50_000}).result_rows  # a form
        assert long == [("x" * 50_000,)]
        arrow = client.raw_query("SELECT a FROM t ORDER BY a", fmt="ArrowStream")
        assert pa.ipc.open_stream(arrow).read_all().column("a").to_pylist() == [1, 2, 3]


def test_a_token_counts_once_and_does_not_reach_the_next_insert(
    host: EngineProcess, table: str
) -> None:
    rows = pa.table({"a": pa.array([1], pa.uint64()), "s": ["x"]})
    with connect(host) as client:
        for _ in range(2):
            client.insert_arrow(table, rows, settings={"insert_deduplication_token": "k"})
        client.insert_arrow(table, pa.table({"a": pa.array([2], pa.uint64()), "s": ["x"]}))
        client.insert_arrow(table, pa.table({"a": pa.array([3], pa.uint64()), "s": ["x"]}))
        assert client.command("SELECT count() FROM t") == 3


def test_settings_are_of_one_question_alone(host: EngineProcess) -> None:
    read = "SELECT getSetting('max_block_size')"
    with connect(host) as client:
        usual = client.command(read)
        assert client.command(read, settings={"max_block_size": 77}) == 77
        assert client.command(read) == usual
        with pytest.raises(DatabaseError, match="UNKNOWN_SETTING"):
            client.command(read, settings={"no_such_setting": 1})
        assert client.command(read) == usual


REFUSALS = {
    "what is not SQL is the asker's fault": ("SELECT 1 +", 400, 62),
    "a table that is not there is not found": ("SELECT * FROM nowhere", 404, 60),
    "a column that is not there is not found": ("SELECT nothing", 404, 47),
    "a second statement is not run": ("SELECT 1; SELECT 2", 400, 62),
    "nothing is not a question": ("", 400, 62),
    "time that is up is said": ("SELECT sleep(3) SETTINGS max_execution_time = 0.1", 408, 159),
    "memory that is up is an error of ours": (
        "SELECT groupArray(number) FROM numbers(10000000) SETTINGS max_memory_usage = 1000000",
        500,
        241,
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusals(host: EngineProcess, case: str) -> None:
    statement, status, code = REFUSALS[case]
    found = answer_of(host, "", statement.encode())
    assert found[0] == status
    assert found[1]["X-ClickHouse-Exception-Code"] == str(code)
    assert found[2].startswith(f"Code: {code}. DB::Exception: ".encode())
    after = answer_of(host, "", b"SELECT 42")
    assert (after[0], after[2]) == (200, b"42\n")


def test_a_semicolon_in_a_text_is_no_second_statement(host: EngineProcess) -> None:
    statement = b"SELECT 'a; b', `c; d` FROM (SELECT 1 AS `c; d`) /* ; x */ -- ; y\n;"
    assert answer_of(host, "", statement)[2] == b"a; b\t1\n"


def test_a_question_in_the_address_may_ask_and_nothing_else(host: EngineProcess) -> None:
    ask = urllib.parse.urlencode({"query": "SELECT 1 AS n", "default_format": "JSONEachRow"})
    assert answer_of(host, ask)[2] == b'{"n":1}\n'
    do = urllib.parse.urlencode({"query": "CREATE TABLE x (a Int8) ENGINE = Memory"})
    assert answer_of(host, do)[1]["X-ClickHouse-Exception-Code"] == "164"


def test_answers_are_packed_only_where_it_is_asked_for(host: EngineProcess) -> None:
    asked = "enable_http_compression=1"
    statement = b"SELECT repeat('x', 10000)"
    packed = answer_of(host, asked, statement, **{"Accept-Encoding": "gzip;q=1, br"})
    assert packed[1]["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed[2]) == b"x" * 10000 + b"\n"
    plain = answer_of(host, "", statement, **{"Accept-Encoding": "gzip"})
    assert plain[1]["Content-Encoding"] is None
    assert plain[2] == b"x" * 10000 + b"\n"
    wrong = answer_of(host, "", statement, **{"Content-Encoding": "gzip"})
    assert (wrong[0], wrong[1]["X-ClickHouse-Exception-Code"]) == (500, "89")


def test_who_does_not_know_the_password_learns_nothing(host: EngineProcess) -> None:
    for header, value in (("X-ClickHouse-Key", "guess"), ("X-ClickHouse-User", "other")):
        status, headers, text = answer_of(host, "", b"SELECT 1", **{header: value})
        assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")
        assert b"guess" not in text
    with pytest.raises(DatabaseError, match="Authentication failed"):
        connect(host, password="guess")


def test_an_engine_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    process = EngineProcess(blocked / "engine", print)
    with pytest.raises(StoreError, match="cannot be opened") as raised:
        process.start(within_s=60)
    assert "Stack trace" not in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
