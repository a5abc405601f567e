"""Between the rows of the database and the words of the model."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Row

from streamgauge.model.change import Action
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected


def incident_values(incident: Incident) -> dict[str, Any]:
    """The columns of `incident`, all of them but the timeline's."""
    return {
        "id": incident.id,
        "key": incident.key,
        "kind": incident.kind.value,
        **incident.scope._asdict(),
        "state": incident.state.value,
        "severity": incident.severity.value,
        "suspected": incident.suspected.value,
        "since": incident.since,
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "summary": incident.summary,
        "evidence": plain(dict(incident.evidence)),
        "affected": list(incident.affected),
        "sequence": incident.sequence,
        "told_severity": incident.told_severity and incident.told_severity.value,
        "told_affected_count": incident.told_affected_count,
        "is_held": incident.is_held,
    }


def incident_of(row: Row[Any], timeline: tuple[TimelineEntry, ...] = ()) -> Incident:
    """The incident of a row of `incident`."""
    return Incident(
        id=row.id,
        key=row.key,
        kind=Kind(row.kind),
        scope=Scope(row.tenant, row.source, row.integration, row.pipeline),
        state=IncidentState(row.state),
        severity=Severity(row.severity),
        suspected=Suspected(row.suspected),
        since=row.since,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        summary=row.summary,
        evidence=row.evidence,
        affected=tuple(row.affected),
        timeline=timeline,
        sequence=row.sequence,
        told_severity=Severity(row.told_severity) if row.told_severity else None,
        told_affected_count=row.told_affected_count,
        is_held=row.is_held,
    )


def entry_of(row: Row[Any]) -> TimelineEntry:
    """The entry of a row of `timeline_entry`."""
    return TimelineEntry(row.at, row.action, row.actor, row.reason)


def notification_of(row: Row[Any]) -> Notification:
    """The notification of a row of `notification`; who holds it is not part of it."""
    return Notification(
        id=row.id,
        incident_id=row.incident_id,
        sequence=row.sequence,
        notifier=row.notifier,
        action=Action(row.action),
        reason=row.reason,
        state=DeliveryState(row.state),
        created_at=float(row.created_at),  # SQLite's RETURNING gives whole numbers as int
        due_at=float(row.due_at),
        attempts=row.attempts,
        last_error=row.last_error,
        finished_at=row.finished_at,
        receipt=row.receipt,
    )


def plain(value: object) -> object:
    """`value` as JSON can hold it: no NaN or infinity, NumPy's numbers as Python's."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
