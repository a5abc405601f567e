"""Connections to ClickHouse: chDB embedded, or a server.

Queries on one connection are serialised, and one connection must not be asked while it streams;
connections of one path share an engine and are truly concurrent. So every call borrows a
connection for itself. One on which a query failed is thrown away: what it had answered so far
stands in front of the next answer (chDB 26.9). All of them are closed before the process leaves,
or the engine's shutdown raises.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError

from streamgauge.model.errors import StoreError
from streamgauge.store.settings import StoreSettings

_CODE = re.compile(r"Code: (\d+)")
_LASTING_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    }
)
"""Errors about what is inserted, not about the engine's state.
Source: ClickHouse, src/Common/ErrorCodes.cpp"""
_FULL_SIGNS = ("No space left on device", "NOT_ENOUGH_SPACE", "Disk quota exceeded")
Parameters = Mapping[str, object]


class Engine:
    """Runs SQL. Thread-safe: as many connections as there are calls at the same time."""

    def __init__(self, url: str, settings: StoreSettings) -> None:
        self._url = url
        self._settings: dict[str, Any] = {
            "max_execution_time": settings.query_timeout_s,
            "max_memory_usage": settings.query_max_memory_bytes,
            "max_bytes_before_external_group_by": settings.query_max_memory_bytes // 2,
            "max_bytes_before_external_sort": settings.query_max_memory_bytes // 2,
            "max_partitions_per_insert_block": 0,
            "output_format_arrow_string_as_string": 1,
            "output_format_arrow_low_cardinality_as_dictionary": 0,
        }
        self._guard = threading.Condition()
        self._idle: list[Client] = []
        self._borrowed = 0
        self._is_open = False

    def open(self) -> None:
        """Connect once, to tell early what is wrong.

        Raises:
            StoreError: the engine cannot be reached or opened.
        """
        self._is_open = True
        with self._client():
            pass

    def close(self) -> None:
        """Wait for the calls under way, then close every connection; later calls are refused."""
        with self._guard:
            self._is_open = False
            self._guard.wait_for(lambda: self._borrowed == 0)
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()

    def query(self, sql: str, parameters: Parameters | None = None) -> pa.Table:
        """The answer as Arrow. Parameters are bound by the engine: `{name:Type}`.

        Raises:
            StoreError: the engine refused, or the time limit passed.
        """
        with self._client() as client:
            answer = client.raw_query(sql, parameters=dict(parameters or {}), fmt="ArrowStream")
            return pa.ipc.open_stream(answer).read_all()

    def command(self, sql: str, parameters: Parameters | None = None) -> None:
        """Run a statement without an answer.

        Raises:
            StoreError: the engine refused.
        """
        with self._client() as client:
            client.command(sql, parameters=dict(parameters or {}))

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        """Insert once: the same token into the same table is not inserted again.

        Raises:
            StoreError: the engine refused.
        """
        settings = {
            "insert_deduplication_token": token,
            "max_execution_time": 0,
            "optimize_on_insert": 0,  # rollups come summed already
        }
        with self._client() as client:
            client.insert_arrow(table_name, rows, settings=settings)

    @contextmanager
    def _client(self) -> Iterator[Client]:
        with self._guard:
            if not self._is_open:
                raise StoreError("the store is closed", permanent=True)
            client = self._idle.pop() if self._idle else None
            self._borrowed += 1
        is_sound = False
        try:
            with _engine_errors():
                client = client or clickhouse_connect.get_client(
                    dsn=self._url, settings=self._settings
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


@contextmanager
def _engine_errors() -> Iterator[None]:
    try:
        yield
    except (ClickHouseError, OSError, RuntimeError, pa.ArrowInvalid) as error:
        text = str(error) or repr(error)
        raise StoreError(_explained(text), permanent=_is_lasting(error, text)) from error


def _is_lasting(error: Exception, text: str) -> bool:
    """Whether it is about what was given, so that giving it again cannot help."""
    code = _CODE.search(text)
    return isinstance(error, DataError) or (code is not None and int(code[1]) in _LASTING_CODES)


def _explained(text: str) -> str:
    """What an engine's error means: its first line, or what to do about it."""
    if any(sign in text for sign in _FULL_SIGNS):
        return "the engine's disk is full: free some space or move the data folder (--data)"
    return f"the engine refused: {text.strip().splitlines()[0][:500]}"
