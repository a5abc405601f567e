"""The engines the store's contract is tested on: in this process, by HTTP, and a real server."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
import pytest

from streamgauge.store.engine.address import server_address
from streamgauge.store.host.process import EngineProcess

SERVER = os.environ.get("STREAMGAUGE_TEST_CLICKHOUSE", "")
"""`clickhouse://user:password@host:port/`; every use makes a database of its own and drops it."""
IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
ALL_KINDS = ("embedded", "host", "server")
KINDS = ("embedded", *(("host",) if IS_NIGHTLY else ()), *(("server",) if SERVER else ()))
"""What every test of the store runs on; the conformance suite always runs on all kinds."""


@contextmanager
def engine_url(kind: str, folder: Path) -> Iterator[str]:
    """Where an empty engine of that kind is, for a store that keeps its journal in `folder`."""
    if kind == "embedded":
        yield f"chdb://{folder}/engine"
    elif kind == "host":
        process = EngineProcess(folder / "engine", print)
        process.start(within_s=60)
        yield process.url
        process.stop(within_s=30)
    else:
        if not SERVER:
            pytest.skip("set STREAMGAUGE_TEST_CLICKHOUSE=clickhouse://user:password@host:port/")
        with _own_database() as url:
            yield url


@contextmanager
def _own_database() -> Iterator[str]:
    address, name = server_address(SERVER), f"streamgauge_test_{uuid.uuid4().hex}"
    on_cluster = f" ON CLUSTER '{address.cluster}'" if address.cluster else ""
    with clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        username=address.user,
        password=address.password,
        secure=address.is_secure,
    ) as client:
        client.command(f"CREATE DATABASE `{name}`{on_cluster}")
        yield urlsplit(SERVER)._replace(path=f"/{name}").geturl()
        client.command(f"DROP DATABASE `{name}`{on_cluster} SYNC")
