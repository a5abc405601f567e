"""The engine asked over the network: what goes wrong there, and in which words it is told."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pytest

from streamgauge.model.errors import StoreError
from streamgauge.store import StoreSettings
from streamgauge.store.engine.address import server_address
from streamgauge.store.engine.engine import Engine
from streamgauge.store.host.process import EngineProcess
from streamgauge.testing.process import free_port

pytestmark = [pytest.mark.chdb, pytest.mark.process]

ROWS = pa.table({"a": pa.array([1, 2], pa.uint64())})


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    process = EngineProcess(tmp_path_factory.mktemp("host") / "engine", print)
    process.start(within_s=60)
    yield process
    process.stop(within_s=30)


@contextmanager
def opened(url: str, **limits: float) -> Iterator[Engine]:
    engine = Engine(url, StoreSettings(**limits))  # type: ignore[arg-type]
    engine.open()
    try:
        yield engine
    finally:
        engine.close()


@pytest.fixture
def table(host: EngineProcess) -> Iterator[str]:
    with opened(host.url) as engine:
        engine.command(
            "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a "
            "SETTINGS non_replicated_deduplication_window = 100"
        )
        yield "t"
        engine.command("DROP TABLE t")


def count(engine: Engine) -> int:
    return int(engine.query("SELECT count() AS n FROM t").column("n")[0].as_py())


def refusal_of(call: Callable[[], object]) -> StoreError:
    with pytest.raises(StoreError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("compression", ["lz4", "zstd", "none"])
def test_rows_go_in_once_and_come_out(host: EngineProcess, table: str, compression: str) -> None:
    with opened(f"{host.url}&compression={compression}") as engine:
        for token in ("k", "k", "l"):
            engine.insert(table, ROWS, token)
        assert count(engine) == 4
        asked = engine.query("SELECT {s:String} AS s, a FROM t WHERE a = 1", {"s": "a'b\\\n;"})
        assert asked.to_pylist() == [{"s": "a'b\\\n;", "a": 1}] * 2


def test_a_wrong_password_is_told_as_one(host: EngineProcess) -> None:
    url = host.url.replace(f":{server_address(host.url).password}@", ":guess@")
    error = refusal_of(Engine(url, StoreSettings()).open)
    assert "does not know the user streamgauge or its password: see [store] url" in str(error)
    assert "guess" not in str(error)
    assert not error.permanent, "lines must wait for it, not be given up"


def test_a_server_that_is_not_there_is_told_so() -> None:
    error = refusal_of(
        Engine(f"clickhouse://me:secret@127.0.0.1:{free_port()}", StoreSettings()).open
    )
    assert "cannot be reached (Connection refused)" in str(error)
    assert "secret" not in str(error)
    assert not error.permanent


def test_a_server_that_stands_still_is_told_so(tmp_path: Path) -> None:
    process = EngineProcess(tmp_path / "engine", print)
    process.start(within_s=60)
    try:
        with opened(f"{process.url}&read_timeout_s=1") as engine:
            os.kill(process.pid, signal.SIGSTOP)
            error = refusal_of(lambda: engine.query("SELECT 1"))
            os.kill(process.pid, signal.SIGCONT)
            assert str(error).endswith("does not answer in time")
            assert engine.query("SELECT 1 AS n").to_pylist() == [{"n": 1}]
            process.kill()
            assert "cannot be reached" in str(refusal_of(lambda: engine.query("SELECT 1")))
    finally:
        process.kill()


class _Old(http.server.BaseHTTPRequestHandler):
    """Debian's ClickHouse, as far as it gets."""

    def do_POST(self) -> None:
        asked = self.rfile.read(int(self.headers["content-length"]))
        body = b"18.16.1\tUTC\n" if b"version()" in asked else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Format", "TabSeparated")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_server_that_is_too_old_is_refused() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Old) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        url = f"clickhouse://127.0.0.1:{server.server_address[1]}"
        error = refusal_of(Engine(url, StoreSettings()).open)
        server.shutdown()
        serving.join()
    assert "is version 18.16.1: upgrade it to 24.8 or newer" in str(error)


def test_refusals_are_the_same_words_and_kinds_as_embedded(host: EngineProcess, table: str) -> None:
    with opened(host.url, query_timeout_s=1) as engine:
        wrong = pa.table({"a": ["x"]})
        assert refusal_of(lambda: engine.insert(table, wrong, "wrong")).permanent
        missing = refusal_of(lambda: engine.query("SELECT * FROM nowhere"))
        assert str(missing).startswith("the engine refused: Code: 60. DB::Exception")
        assert "http" not in str(missing)
        assert not missing.permanent
        slow = refusal_of(lambda: engine.query("SELECT sleep(3)"))
        assert "TIMEOUT_EXCEEDED" in str(slow)
        assert engine.query("SELECT 1 AS n").to_pylist() == [{"n": 1}]


class Breaking:
    """Stands between client and server, and cuts connections when it is told to.

    `cut_after`: passes the next request with these bytes on, then hangs up in place of its answer.
    """

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.cut_after: bytes | None = None
        self.cuts = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, is_request: bool) -> None:
        """Carry one direction; the far end hears the request out also when we hang up."""
        with suppress(OSError):
            while data := source.recv(65536):
                if is_request and self.cut_after and self.cut_after in data:
                    self.cut_after = None
                    self.cuts += 1
                    source.shutdown(socket.SHUT_WR)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        source.close()

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def breaking(host: EngineProcess) -> Iterator[Breaking]:
    proxy = Breaking(server_address(host.url).port)
    yield proxy
    proxy.close()


def through(host: EngineProcess, proxy: Breaking) -> str:
    port = server_address(host.url).port
    return host.url.replace(f":{port}/", f":{proxy.port}/")


def test_a_question_is_asked_again_when_the_connection_breaks(
    host: EngineProcess, breaking: Breaking
) -> None:
    with opened(through(host, breaking)) as engine:
        breaking.cut_after = b"SELECT 41"
        assert engine.query("SELECT 41 + 1 AS n").to_pylist() == [{"n": 42}]
        assert breaking.cuts == 1


def test_an_insert_whose_answer_was_lost_is_told_and_counts_once_when_sent_again(
    host: EngineProcess, breaking: Breaking, table: str
) -> None:
    with opened(through(host, breaking)) as engine:
        breaking.cut_after = b"INSERT"
        error = refusal_of(lambda: engine.insert(table, ROWS, "k"))
        assert "cannot be reached" in str(error)
        assert not error.permanent
        engine.insert(table, ROWS, "k")
        assert count(engine) == 2


def test_a_suspended_engine_refuses_at_once_and_goes_on_elsewhere(host: EngineProcess) -> None:
    engine = Engine(host.url, StoreSettings())
    engine.open()
    engine.suspend("it is being started")
    assert engine.problem == "it is being started"
    assert str(refusal_of(lambda: engine.query("SELECT 1"))) == "it is being started"
    engine.move_to(host.url)
    assert engine.problem == ""
    assert engine.query("SELECT 1 AS n").to_pylist() == [{"n": 1}]
    engine.close()
    assert str(refusal_of(lambda: engine.query("SELECT 1"))) == "the store is closed"
