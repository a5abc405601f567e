"""What people do with an incident: the same kind of change as the state machine makes. Pure.

Each function returns None where nothing would change, so that doing it twice is doing it once.
"""

from __future__ import annotations

from dataclasses import replace

from streamgauge.alert.policy import DETECTED
from streamgauge.alert.transitions import moved_on
from streamgauge.model.change import Action, Change, ChangeReason
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.words import IncidentState


def acknowledge(incident: Incident, actor: str, reason: str, now: float) -> Change | None:
    """`actor` works on it; None if someone already does, or it is closed."""
    if incident.state is not IncidentState.OPEN:
        return None
    after = replace(incident, state=IncidentState.ACKNOWLEDGED)
    entry = TimelineEntry(now, "acknowledged", actor, reason)
    return moved_on(after, ChangeReason.BY_HAND, entry, None)


def close(incident: Incident, actor: str, reason: str, now: float) -> Change | None:
    """`actor` calls it over, and it stays closed while its trouble goes on; None if it was closed.

    It can open again once its trouble was over, or when it gets worse than anyone was told.
    """
    if incident.state is IncidentState.CLOSED:
        return None
    after = replace(
        incident,
        state=IncidentState.CLOSED,
        closed_at=now,
        is_held=incident.kind in DETECTED,
    )
    entry = TimelineEntry(now, "closed", actor, reason)
    return moved_on(after, ChangeReason.BY_HAND, entry, Action.CLOSE)


def note(incident: Incident, actor: str, text: str, now: float) -> Change:
    """`actor` writes something down."""
    return moved_on(incident, ChangeReason.BY_HAND, TimelineEntry(now, "note", actor, text), None)
