"""Writes the changes of incidents, each only onto the very state it was made from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from streamgauge.model.change import Change, Routing
from streamgauge.model.incident import Incident
from streamgauge.state import outbox
from streamgauge.state.rows import incident_values
from streamgauge.state.tables import IncidentRow, TimelineRow

_INCIDENT = IncidentRow.__table__


def apply(connection: Connection, changes: Sequence[Change], routing: Routing) -> list[Change]:
    """Write each change with its timeline entry and notifications.

    A change is left out when the incident has moved on since it was made, or another one opened
    for its key meanwhile: the next turn decides anew. So a repeat changes nothing.

    Returns:
        The transitions that were written; refreshes are not among them.
    """
    written = [
        change
        for change in changes
        if change.entry is not None and _write(connection, change, routing)
    ]
    _refresh(connection, [change.incident for change in changes if change.entry is None])
    return written


def _write(connection: Connection, change: Change, routing: Routing) -> bool:
    incident, entry = change.incident, change.entry
    is_new = incident.sequence == 1
    if entry is None or not (_insert if is_new else _update)(connection, incident):
        return False
    connection.execute(
        insert(TimelineRow).values(
            incident_id=incident.id,
            sequence=incident.sequence,
            at=entry.at,
            action=entry.action,
            actor=entry.actor,
            reason=entry.reason,
        )
    )
    outbox.put(connection, change, routing)
    return True


def _insert(connection: Connection, incident: Incident) -> bool:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(IncidentRow).values(**incident_values(incident))
    inserted = connection.execute(statement.on_conflict_do_nothing().returning(IncidentRow.id))
    return inserted.first() is not None


def _update(connection: Connection, incident: Incident) -> bool:
    statement = (
        update(IncidentRow)
        .where(IncidentRow.id == incident.id, IncidentRow.sequence == incident.sequence - 1)
        .values(**incident_values(incident))
    )
    try:
        # Reopening fails where another incident has opened for the key since.
        with connection.begin_nested():
            return connection.execute(statement).rowcount == 1
    except IntegrityError:
        return False


def _refresh(connection: Connection, incidents: Sequence[Incident]) -> None:
    if not incidents:
        return
    values = [incident_values(incident) for incident in incidents]
    names = [name for name in values[0] if name not in {"id", "sequence"}]
    statement = (
        update(_INCIDENT)  # type: ignore[arg-type]
        .where(
            _INCIDENT.c.id == bindparam("at_id"), _INCIDENT.c.sequence == bindparam("at_sequence")
        )
        .values({name: bindparam(f"new_{name}") for name in names})
    )
    connection.execute(
        statement,
        [
            {f"new_{name}": value[name] for name in names}
            | {"at_id": value["id"], "at_sequence": value["sequence"]}
            for value in values
        ],
    )
