"""A broker that refuses, hangs, or dies: a clear line, nothing kept, and back by itself."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests import services
from tests.receive.collectors.conftest import settings_of
from tests.services import Service

from streamgauge.model.gatherer import Fault, GathererState
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.testing.collecting import bench_of

pytestmark = pytest.mark.broker

URLS: dict[str, tuple[str, dict[str, Any]]] = {
    "redis": ("redis://:s3cret@127.0.0.1:{port}", {}),
    "nats": ("nats://u:s3cret@127.0.0.1:{port}", {}),
    "postgresql": (
        "postgresql://postgres:s3cret@127.0.0.1:{port}/postgres",
        {"query": "SELECT 1 AS backlog"},
    ),
    "rabbitmq": ("http://guest:s3cret@127.0.0.1:{port}", {}),
    "rabbitmq by amqp": ("amqp://guest:s3cret@127.0.0.1:{port}/", {"queues": ("a",)}),
}


def settings(kind: str, port: int, **more: Any) -> CollectorSettings:
    url, options = URLS[kind]
    return settings_of(kind.partition(" ")[0], url.format(port=port), **options, **more)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Somebody takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", URLS)
def test_nobody_listens(kind: str) -> None:
    port = services.free_port()
    health = bench_of(settings(kind, port)).look().health
    assert health.fault is Fault.REFUSED, health.last_error
    assert health.last_error.startswith(f"127.0.0.1:{port} refuses connections: look whether it")
    assert "s3cret" not in health.last_error + health.address


@pytest.mark.parametrize("kind", URLS)
def test_it_takes_the_connection_and_never_answers(kind: str, silent_port: int) -> None:
    health = bench_of(settings(kind, silent_port, timeout_s=0.3)).look().health
    assert health.fault is Fault.HANGS, health.last_error
    assert "does not answer" in health.last_error
    assert "s3cret" not in health.last_error


@contextmanager
def talking_nonsense() -> Iterator[int]:
    """Somebody answers everything with the same words of another protocol."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(0.2)
                try:
                    connection.recv(4096)
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n" * 4)
                except OSError:
                    pass

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


@pytest.mark.parametrize("kind", URLS)
def test_something_else_listens_there(kind: str) -> None:
    with talking_nonsense() as port:
        health = bench_of(settings(kind, port, timeout_s=3.0)).look().health
    assert health.state is GathererState.FAILING
    assert str(port) in health.last_error
    assert "s3cret" not in health.last_error


def _redis(folder: Path) -> Service:
    return services.redis(folder)


def _nats(folder: Path) -> Service:
    return services.nats(folder)


STARTERS: dict[str, Callable[[Path], Service]] = {
    "redis": _redis,
    "nats": _nats,
    "postgresql": services.postgresql,
}


@pytest.mark.parametrize("kind", STARTERS)
def test_it_dies_in_the_middle_and_comes_back(
    kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service = STARTERS[kind](tmp_path_factory.mktemp(kind))
    url, options = URLS[kind]
    url = url.replace("u:s3cret@", "").replace(":s3cret@", "@").replace("//@", "//")
    one = settings_of(kind, url.format(port=service.port), timeout_s=2.0, **options)
    bench, other = bench_of(one), bench_of(one)

    async def scene() -> None:
        async with bench.running():
            await bench.until(lambda b: b.health.state is GathererState.OK)
            await asyncio.to_thread(service.kill)
            await bench.until(lambda b: b.health.fault is Fault.REFUSED)
            failed = len(bench.rows)
            await bench.until(lambda b: b.health.failed_in_a_row >= 3)
            assert len(bench.rows) == failed, "what is not seen leaves no row"
            await asyncio.to_thread(service.start)
            await bench.until(lambda b: b.health.state is GathererState.OK)

    with services.running(service):
        asyncio.run(scene())
        assert other.look().health.state is GathererState.OK
