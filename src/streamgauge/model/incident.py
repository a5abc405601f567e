"""Findings that people work on."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamgauge.model.clock import rfc3339
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
    sequence: int = 0
    """Number of its last transition, from 1: a change made from an older one is not applied."""
    told_severity: Severity | None = None
    """The worst severity anyone was told of."""
    told_affected_count: int = 0
    """How many affected tenants anyone was told of."""
    is_held: bool = False
    """Closed by hand while the trouble goes on: it stays closed until the trouble was over once."""


def replay_shape(incident: Incident) -> dict[str, object]:
    """The incident as `replay` prints it (DESIGN section 4); every other shape adds to this one."""
    tenant, source, integration, pipeline = incident.scope
    return {
        "id": incident.id,
        "kind": incident.kind.value,
        "opened_at": rfc3339(incident.opened_at),
        "closed_at": None if incident.closed_at is None else rfc3339(incident.closed_at),
        "severity": incident.severity.value,
        "tenant": tenant,
        "source": source,
        "integration": integration,
        "pipeline": pipeline,
        "summary": incident.summary,
        "suspected": incident.suspected.value,
        "evidence": dict(incident.evidence),
    }


def api_shape(incident: Incident) -> dict[str, object]:
    """The replay shape plus `state`, `affected` and `timeline`, as the API answers."""
    return replay_shape(incident) | {
        "state": incident.state.value,
        "affected": list(incident.affected),
        "timeline": [
            {
                "at": rfc3339(entry.at),
                "action": entry.action,
                "actor": entry.actor,
                "reason": entry.reason,
            }
            for entry in incident.timeline
        ],
    }
