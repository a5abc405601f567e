"""PostgreSQL: what the user's own query tells of tables that are used as queues.

The query runs by a cursor in a read-only transaction under a time limit of the server, so that it
can change nothing, return no more than is read, and outlive nobody's patience.

Source: https://www.postgresql.org/docs/current/sql-declare.html (only SELECT and VALUES),
https://www.postgresql.org/docs/current/runtime-config-client.html (statement_timeout).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.collector import AgeMethod, CollectorSettings, QueueReading
from streamgauge.receive.collectors.faults import (
    CollectorFault,
    hangs,
    not_permitted,
    wrong_credentials,
)

TEXTS = ("queue", "tenant", "integration", "pipeline")
NUMBERS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight")
MAX_ROWS = 10_000


def make(settings: CollectorSettings) -> PostgresqlCollector:
    """A collector that is not connected yet."""
    return PostgresqlCollector(settings)


class PostgresqlCollector:
    """One connection."""

    kind = "postgresql"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._query = str(settings.options["query"]).strip().rstrip(";")
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def open(self) -> None:
        """Connect."""
        limit_s = self._settings.timeout_s
        own = conninfo_to_dict(self._address.url).get("options") or ""
        conninfo = make_conninfo(
            self._address.url,
            user=self._address.user or None,
            password=self._address.secret() or None,
            connect_timeout=max(int(limit_s), 2),
            application_name="streamgauge",
            options=f"{own} -c statement_timeout={max(int(limit_s * 1000), 1)}".strip(),
        )
        try:
            self._connection = await psycopg.AsyncConnection.connect(conninfo)
        except psycopg.OperationalError as error:
            raise self._not_open(error) from error
        await self._connection.set_read_only(True)

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def read(self) -> Sequence[QueueReading]:
        """One for each row of the query."""
        connection = self._connection
        if connection is None:
            raise ConnectionResetError
        try:
            async with connection.transaction(), connection.cursor("streamgauge") as cursor:
                await cursor.execute(sql.SQL(self._query))
                names = [column.name for column in cursor.description or ()]
                rows = await cursor.fetchmany(MAX_ROWS + 1)
        except psycopg.Error as error:
            raise self._refused(error) from error
        _check_columns(names)
        return [self._reading(dict(zip(names, row, strict=True))) for row in rows]

    def _reading(self, row: dict[str, Any]) -> QueueReading:
        texts = {name: "" if row.get(name) is None else str(row[name]) for name in TEXTS}
        age_s = _number("oldest_age_s", row.get("oldest_age_s"))
        return QueueReading(
            texts["queue"] or self._settings.name,
            pipeline=texts["pipeline"],
            integration=texts["integration"],
            tenant=texts["tenant"],
            backlog=_number("backlog", row.get("backlog")),
            oldest_age_s=age_s,
            in_total=_number("in_total", row.get("in_total")),
            out_total=_number("out_total", row.get("out_total")),
            consumers=_number("consumers", row.get("consumers")),
            in_flight=_number("in_flight", row.get("in_flight")),
            oldest_age_method=AgeMethod.NONE if age_s is None else AgeMethod.QUERY,
        )

    def _not_open(self, error: psycopg.OperationalError) -> Exception:
        where, user, text = self._address.where, self._address.user, str(error)
        if "authentication failed" in text or "no password supplied" in text:
            return wrong_credentials(where, user)
        if "role" in text and "does not exist" in text:
            return wrong_credentials(where, user)
        if "Connection refused" in text:
            return ConnectionRefusedError()
        if "timeout expired" in text:
            return hangs(where, self._settings.timeout_s)
        if "does not exist" in text:
            return CollectorFault(Fault.GONE, f"{where}: {_first(text)}: check `url`")
        return error

    def _refused(self, error: psycopg.Error) -> Exception:
        where, user, text = self._address.where, self._address.user, _first(str(error))
        is_cut = isinstance(error, psycopg.OperationalError) and error.sqlstate is None
        if is_cut or isinstance(error, errors.AdminShutdown | errors.CrashShutdown):
            return ConnectionResetError()
        if isinstance(error, errors.InsufficientPrivilege):
            return not_permitted(where, user, f"run the query ({text})")
        fault, words = Fault.ANSWER, f"the query fails: {text}"
        match error:
            case errors.QueryCanceled():
                limit = f"{self._settings.timeout_s:g} s"
                fault, words = Fault.HANGS, f"the query takes longer than {limit}: {_CHEAPER}"
            case errors.UndefinedTable() | errors.UndefinedColumn() | errors.UndefinedFunction():
                fault, words = Fault.GONE, f"the query names what is not there: {text}"
            case errors.ReadOnlySqlTransaction() | errors.SyntaxError():
                words = f"`query` has to be one SELECT that changes nothing: {text}"
        return CollectorFault(fault, f"{where}: {words}")


_CHEAPER = "make it cheaper, by an index, or allow more by `timeout`"


def _first(text: str) -> str:
    """The first line, without the library's own prefixes."""
    return text.strip().splitlines()[0].removeprefix("connection failed: ") if text else "no reason"


def _check_columns(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in TEXTS + NUMBERS]
    accepted = ", ".join(TEXTS + NUMBERS)
    if unknown:
        told = ", ".join(unknown)
        raise CollectorFault(
            Fault.ANSWER, f"the query has a column {told}: accepted are {accepted}; use AS"
        )
    if not set(names) & set(NUMBERS):
        raise CollectorFault(
            Fault.ANSWER, f"the query tells nothing of a queue: its columns may be {accepted}"
        )


def _number(name: str, value: object) -> float | None:
    match value:
        case None:
            return None
        case timedelta():
            return value.total_seconds()
        case bool():
            pass
        case int() | float() | Decimal():
            return float(value)
    raise CollectorFault(
        Fault.ANSWER, f"the query's column {name} holds {value!r:.50}: it has to be a number"
    )
