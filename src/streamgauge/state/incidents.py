"""Reads incidents."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, cast, func, or_, select
from sqlalchemy.dialects.postgresql import JSONB

from streamgauge.model.errors import NotFound
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState
from streamgauge.state.rows import entry_of, incident_of
from streamgauge.state.tables import IncidentRow, TimelineRow

_COLUMNS = tuple(IncidentRow.__table__.columns)
_CLOSED = IncidentState.CLOSED.value


def open_by_key(connection: Connection) -> dict[str, Incident]:
    """Every incident that is not closed, by key, oldest first, without timelines."""
    rows = connection.execute(
        select(*_COLUMNS).where(IncidentRow.state != _CLOSED).order_by(IncidentRow.opened_at)
    )
    return {row.key: incident_of(row) for row in rows}


def closed_by_key(connection: Connection, since: float) -> dict[str, Incident]:
    """By key, the last incident closed at or after `since`, and every one that is held."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(IncidentRow.state == _CLOSED)
        .where(or_(IncidentRow.closed_at >= since, IncidentRow.is_held))
        .order_by(IncidentRow.closed_at, IncidentRow.id)
    )
    return {row.key: incident_of(row) for row in rows}


def list_newest(
    connection: Connection, state: IncidentState | None, tenant: str | None, limit: int
) -> list[Incident]:
    """Newest first, without timelines; `tenant` also finds those that merely affect it."""
    statement: Select[Any] = select(*_COLUMNS)
    if state is not None:
        statement = statement.where(IncidentRow.state == state.value)
    if tenant is not None:
        concerns = _affects(tenant, connection.dialect.name)
        statement = statement.where(or_(IncidentRow.tenant == tenant, concerns))
    newest = statement.order_by(IncidentRow.opened_at.desc(), IncidentRow.id.desc())
    return [incident_of(row) for row in connection.execute(newest.limit(limit))]


def _affects(tenant: str, dialect: str) -> ColumnElement[bool]:
    if dialect == "postgresql":
        return cast(IncidentRow.affected, JSONB).contains([tenant])
    names = func.json_each(IncidentRow.affected).table_valued("value")
    return select(1).select_from(names).where(names.c.value == tenant).exists()


def get(connection: Connection, incident_id: str, *, for_update: bool = False) -> Incident:
    """One incident with its timeline.

    Raises:
        NotFound: no incident has that id.
    """
    statement = select(*_COLUMNS).where(IncidentRow.id == incident_id)
    row = connection.execute(statement.with_for_update() if for_update else statement).first()
    if row is None:
        raise NotFound(f"no incident has the id {incident_id!r}")
    entries = connection.execute(
        select(*TimelineRow.__table__.columns)
        .where(TimelineRow.incident_id == incident_id)
        .order_by(TimelineRow.sequence)
    )
    return incident_of(row, tuple(entry_of(entry) for entry in entries))
