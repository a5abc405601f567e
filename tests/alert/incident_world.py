"""A world without a database: what the state machine's changes leave behind."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamgauge.alert.incidents import step
from streamgauge.alert.policy import IncidentPolicy
from streamgauge.model.change import Change
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected


def finding(
    tenant: str | None = "acme",
    kind: Kind = Kind.SILENCE,
    severity: Severity = Severity.P3,
    affected: int = 1,
    over: str = "",
    covers: tuple[str, ...] = (),
    since: float = 0.0,
    summary: str = "it is quiet",
    evidence: Evidence | None = None,
    subject: str = "",
) -> Finding:
    """A finding, of which a test names what matters to it."""
    return Finding(
        kind=kind,
        scope=Scope(tenant),
        severity=severity,
        suspected=Suspected.CUSTOMER,
        since=since,
        summary=summary,
        evidence=evidence or {},
        affected=tuple(f"tenant-{n}" for n in range(affected)),
        over_reason=over,
        covers=covers,
        subject=subject,
    )


@dataclass
class World:
    """Incidents by id; `turn` is one step of detection."""

    policy: IncidentPolicy = field(default_factory=IncidentPolicy)
    incidents: dict[str, Incident] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def open(self) -> dict[str, Incident]:
        """By key."""
        return {
            one.key: one for one in self.incidents.values() if one.state is not IncidentState.CLOSED
        }

    def closed(self, since: float) -> dict[str, Incident]:
        """By key, the last ones."""
        ended = [
            one
            for one in self.incidents.values()
            if one.closed_at is not None and (one.closed_at >= since or one.is_held)
        ]
        return {one.key: one for one in sorted(ended, key=lambda one: one.closed_at or 0.0)}

    def turn(self, now: float, findings: Sequence[Finding]) -> list[Change]:
        """Decide, and take the changes over."""
        changes = step(
            self.open,
            findings,
            now,
            lambda: f"incident-{next(self.ids)}",
            self.closed(now - self.policy.reopen_within_s),
            self.policy,
        )
        for change in changes:
            self.take(change)
        return changes

    def take(self, change: Change | None) -> None:
        """Take one change over."""
        assert change is not None
        self.incidents[change.incident.id] = change.incident
        self.log.append(change)
