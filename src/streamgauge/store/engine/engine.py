"""Runs SQL on ClickHouse: chDB embedded, or a server that may be another process of ours.

Retries are left to who calls: an insert carries a token, by which it counts once however often it
is sent. Only questions are asked again by the driver, when a connection broke.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.address import ServerAddress, is_embedded, server_address
from streamgauge.store.engine.cluster import SETTINGS as CLUSTER_SETTINGS
from streamgauge.store.engine.cluster import Cluster
from streamgauge.store.engine.connections import Connections, EmbeddedConnections, ServerConnections
from streamgauge.store.engine.faults import engine_errors
from streamgauge.store.engine.insertcheck import checked
from streamgauge.store.levels import PENDING_TABLES
from streamgauge.store.settings import StoreSettings

Parameters = Mapping[str, object]


class Engine:
    """Thread-safe: as many connections as there are calls at the same time."""

    def __init__(self, url: str | None, settings: StoreSettings) -> None:
        """Nothing is reached before `open`.

        Args:
            url: `chdb:///absolute/folder`, or `clickhouse://user:password@host:port/database`;
                None: `move_to` will tell.
            settings: Limits of a question.

        Raises:
            ConfigError: it is no such address.
        """
        self._url = url
        self._address: ServerAddress | None = None
        self._cluster: Cluster | None = None
        self._memory_bytes = settings.engine_memory_bytes
        self._settings: dict[str, Any] = {
            "max_execution_time": settings.query_timeout_s,
            "max_memory_usage": settings.query_max_memory_bytes,
            "max_bytes_before_external_group_by": settings.query_max_memory_bytes // 2,
            "max_bytes_before_external_sort": settings.query_max_memory_bytes // 2,
            "max_partitions_per_insert_block": 0,
            "output_format_arrow_string_as_string": 1,
            "output_format_arrow_low_cardinality_as_dictionary": 0,
        }
        self._guard = threading.Lock()
        self._connections: Connections | None = None
        self._why_not = "the engine is being started" if url is None else "the store is closed"
        if url is not None and not is_embedded(url):
            self._address = server_address(url)
            self._cluster = _cluster_of(self._address)

    @property
    def problem(self) -> str:
        """Why it is asked nothing at present, for people; empty: it is asked."""
        return "" if self._connections is not None else self._why_not

    @property
    def is_addressed(self) -> bool:
        """Whether it was told from the start where the engine is."""
        return self._url is not None

    def open(self) -> None:
        """Connect once, to tell early what is wrong.

        Raises:
            StoreError: the engine cannot be reached or opened.
        """
        if self._url is not None and self._connections is None:
            self._make_databases()
            self.move_to(self._url)
        with self._client():
            pass

    def move_to(self, url: str) -> None:
        """From now on ask the engine at `url`, also if none was asked before.

        Raises:
            ConfigError: it is no such address.
        """
        connections: Connections
        if is_embedded(url):
            address = None
            connections = EmbeddedConnections(url, self._settings, self._memory_bytes)
        else:
            address = server_address(url)
            connections = ServerConnections(address, self._server_settings(address))
        self._put(connections, address, "")

    def _server_settings(self, address: ServerAddress) -> dict[str, Any]:
        return self._settings | _arrow_codec(address) | (CLUSTER_SETTINGS if self._cluster else {})

    def _make_databases(self) -> None:
        """A server answers nobody who names a database that is not there."""
        address = self._address
        if address is None or (address.database == "default" and not self._cluster):
            return
        plain = f"CREATE DATABASE IF NOT EXISTS `{address.database}`"
        statements = self._cluster.opening() if self._cluster else [plain]
        connections = ServerConnections(replace(address, database="default"), {})
        try:
            with engine_errors(address), connections.borrow() as client:
                for statement in statements:
                    client.command(statement)
        finally:
            connections.close()

    def suspend(self, why: str) -> None:
        """Refuse every call with this reason, until `move_to`."""
        self._put(None, self._address, why)

    def close(self) -> None:
        """Close every connection; later calls are refused. Embedded, calls under way end first."""
        self._put(None, self._address, "the store is closed")

    def _put(
        self, connections: Connections | None, address: ServerAddress | None, why_not: str
    ) -> None:
        with self._guard:
            former, self._connections = self._connections, connections
            self._address, self._why_not = address, why_not
        if former is not None:
            former.close()

    def query(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer as Arrow. Parameters are bound by the engine: `{name:Type}`.

        Raises:
            StoreError: the engine refused, or the time limit passed.
        """
        sql = self._cluster.question(sql) if self._cluster else sql
        with self._client() as client:
            answer = client.raw_query(sql, parameters=dict(parameters or {}), fmt="ArrowStream")
            return pa.ipc.open_stream(answer).read_all()

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement without an answer.

        Raises:
            StoreError: the engine refused.
        """
        statements = self._cluster.statements(sql) if self._cluster else [sql]
        with self._client() as client:
            for statement in statements:
                client.command(statement, parameters=dict(parameters or {}))

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        """Insert once: the same token into the same table is not inserted again.

        The limits of a question do not hold for it: what is inserted is bounded by the segment it
        is of and cannot become less, so that it would be refused for ever.

        Raises:
            StoreError: the engine refused.
        """
        settings = {
            "insert_deduplication_token": token,
            "max_execution_time": 0,
            "max_memory_usage": 0,
            "optimize_on_insert": int(table_name in PENDING_TABLES),  # others come summed
        }
        with self._client() as client, self._checked(client):
            client.insert_arrow(table_name, rows, settings=settings)

    def _checked(self, client: Client) -> AbstractContextManager[None]:
        """A server says itself when an insert fails, and so does the engine's process."""
        if self._address is not None:
            return nullcontext()
        return checked(lambda question: client.raw_query(question, fmt="TabSeparated"))

    @contextmanager
    def _client(self) -> Iterator[Client]:
        with self._guard:
            connections, address, why_not = self._connections, self._address, self._why_not
        if connections is None:
            raise StoreError(why_not, permanent=False)
        with engine_errors(address, not self.is_addressed), connections.borrow() as client:
            yield client


def _cluster_of(address: ServerAddress) -> Cluster | None:
    return Cluster(address.cluster, address.database) if address.cluster else None


def _arrow_codec(address: ServerAddress) -> dict[str, str]:
    """How answers are packed; between processes of one machine it would cost and gain nothing."""
    codec = {"lz4": "lz4_frame", "zstd": "zstd", "none": "none"}[address.compression]
    return {"output_format_arrow_compression_method": codec}
