"""Clients of the engine, to be borrowed for one call: chDB embedded, or a server.

Embedded, queries on one connection are serialised, and one connection must not be asked while it
streams; connections of one path share an engine and are truly concurrent. So every call borrows a
connection for itself. One on which a query failed is thrown away: what it had answered so far
stands in front of the next answer (chDB 26.9). All of them are closed before the process leaves,
or the engine's shutdown raises. A server's client is one for all threads.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httputil import get_pool_manager

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.address import ServerAddress
from streamgauge.store.engine.memory import memory_options
from streamgauge.store.engine.place import ENGINE_OPTIONS

OLDEST = (24, 8)
"""The first server our SQL is written for."""
POOL_SIZE = 32
"""Connections to a server that are kept open; more are opened when needed."""
Settings = Mapping[str, Any]


class Connections(Protocol):
    """Where calls get their client from."""

    def borrow(self) -> AbstractContextManager[Client]:
        """A client for one call."""
        ...

    def close(self) -> None:
        """Close all of them."""
        ...


class EmbeddedConnections:
    """Of one folder; as many as there are calls at the same time."""

    def __init__(self, url: str, settings: Settings, memory_bytes: int) -> None:
        self._url, self._settings = url, dict(settings)
        self._options = ENGINE_OPTIONS | memory_options(memory_bytes)
        self._guard = threading.Condition()
        self._idle: list[Client] = []
        self._borrowed = 0
        self._is_closed = False

    @contextmanager
    def borrow(self) -> Iterator[Client]:
        """A connection nobody else has.

        Raises:
            StoreError: they are closed.
        """
        with self._guard:
            if self._is_closed:
                raise StoreError("the store is closed", permanent=False)
            client = self._idle.pop() if self._idle else None
            self._borrowed += 1
        is_sound = False
        try:
            client = client or clickhouse_connect.get_client(
                dsn=self._url, settings=self._settings, chdb_options=self._options
            )
            yield client
            is_sound = True
        finally:
            if client is not None and not is_sound:
                client.close()
            with self._guard:
                self._borrowed -= 1
                if client is not None and is_sound:
                    self._idle.append(client)
                self._guard.notify_all()

    def close(self) -> None:
        """Wait for the calls under way, then close every connection."""
        with self._guard:
            self._is_closed = True
            self._guard.wait_for(lambda: self._borrowed == 0)
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()


class ServerConnections:
    """Of one server. The client is made at the first call, and anew after a start that failed."""

    def __init__(self, address: ServerAddress, settings: Settings) -> None:
        self._address, self._settings = address, dict(settings)
        self._pool = get_pool_manager(
            maxsize=POOL_SIZE,
            verify=address.is_verified,
            ca_cert=address.ca_cert or None,
        )
        self._guard = threading.Lock()
        self._client: Client | None = None
        for name in ("clickhouse_connect", "urllib3"):  # what fails is told by us, once
            logging.getLogger(name).setLevel(logging.CRITICAL)

    @contextmanager
    def borrow(self) -> Iterator[Client]:
        """The client of all threads.

        Raises:
            StoreError: the server is too old.
        """
        client = self._client
        if client is None:
            with self._guard:
                client = self._client = self._client or self._connected()
        yield client

    def close(self) -> None:
        """Drop the connections nobody is using; those in use end with their calls."""
        self._pool.clear()
        self._client = None

    def _connected(self) -> Client:
        address = self._address
        client = clickhouse_connect.get_client(
            interface="https" if address.is_secure else "http",
            host=address.host,
            port=address.port,
            username=address.user,
            password=address.password,
            database=address.database,
            compress=False if address.compression == "none" else address.compression,
            connect_timeout=math.ceil(address.connect_timeout_s),
            send_receive_timeout=math.ceil(address.read_timeout_s),
            settings=self._settings,
            autogenerate_session_id=False,  # or threads could not share it
            pool_mgr=self._pool,
        )
        _refuse_old(client, address)
        return client


def _refuse_old(client: Client, address: ServerAddress) -> None:
    version = str(client.server_version)
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST:
        wanted = ".".join(map(str, OLDEST))
        raise StoreError(
            f"ClickHouse at {address} is version {version}: upgrade it to {wanted} or newer",
            permanent=False,
        )
