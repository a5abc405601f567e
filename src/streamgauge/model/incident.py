"""Findings that people work on."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamgauge.model.finding import Evidence
from streamgauge.model.flow import Scope
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One transition or note; the timeline only ever grows."""

    at: float
    """Epoch seconds."""
    action: str
    """`opened`, `updated`, `acknowledged`, `closed`, `reopened`, `note`."""
    actor: str
    """`detector`, or who did it."""
    reason: str


@dataclass(frozen=True, slots=True)
class Incident:
    """One trouble from its beginning to its end."""

    id: str
    key: str
    """`Finding.key`: at most one incident is open for it."""
    kind: Kind
    scope: Scope
    state: IncidentState
    severity: Severity
    suspected: Suspected
    since: float
    """Epoch seconds: when the trouble began."""
    opened_at: float
    """Epoch seconds: when we were sure."""
    closed_at: float | None
    summary: str
    evidence: Evidence = field(default_factory=dict)
    affected: tuple[str, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
