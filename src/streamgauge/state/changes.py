"""Writes the changes of incidents, each only onto the very state it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from streamgauge.model.change import Change, Routing
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState
from streamgauge.state.enqueue import enqueue
from streamgauge.state.rows import incident_values
from streamgauge.state.tables import IncidentRow, TimelineRow

_FIXED = {"id", "key", "kind", *Scope._fields}
_MOVING = tuple(
    column.name for column in IncidentRow.__table__.columns if column.name not in _FIXED
)
"""The columns a change may write."""
_INSERT = {
    name: dialect.insert(IncidentRow).on_conflict_do_nothing().returning(IncidentRow.id)
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_UPDATE = (
    update(IncidentRow.__table__)  # type: ignore[arg-type]
    .where(IncidentRow.id == bindparam("at_id"), IncidentRow.sequence == bindparam("at_sequence"))
    .values({name: bindparam(f"new_{name}") for name in _MOVING})
)


def apply(connection: Connection, changes: Sequence[Change], routing: Routing) -> list[Change]:
    """Write changes, at most one an incident, with their timeline entries and notifications.

    A change is left out when the incident has moved on since it was made, or another one opened
    for its key meanwhile: the next turn decides anew. So a repeat changes nothing.

    Returns:
        The transitions that were written; refreshes are not among them.
    """
    written = [change for change in changes if change.entry and _write(connection, change.incident)]
    if written:
        connection.execute(insert(TimelineRow), [_entry_values(change) for change in written])
        enqueue(connection, written, routing)
    fresh = [_update_values(one.incident, moved_by=0) for one in changes if one.entry is None]
    if fresh:
        connection.execute(_UPDATE, fresh)
    return written


def _write(connection: Connection, incident: Incident) -> bool:
    if incident.sequence == 1:
        statement = _INSERT[connection.dialect.name]
        return connection.execute(statement, incident_values(incident)).first() is not None
    values = _update_values(incident, moved_by=1)
    if incident.state is IncidentState.CLOSED:
        return connection.execute(_UPDATE, values).rowcount == 1
    try:
        # Reopening fails where another incident has opened for the key since.
        with connection.begin_nested():
            return connection.execute(_UPDATE, values).rowcount == 1
    except IntegrityError:
        return False


def _update_values(incident: Incident, *, moved_by: int) -> dict[str, Any]:
    values = incident_values(incident)
    return {
        "at_id": incident.id,
        "at_sequence": incident.sequence - moved_by,
        **{f"new_{name}": values[name] for name in _MOVING},
    }


def _entry_values(change: Change) -> dict[str, Any]:
    entry = asdict(change.entry) if change.entry else {}
    return {"incident_id": change.incident.id, "sequence": change.incident.sequence, **entry}
