"""The single steps an incident can take by itself, each with its reason and whether it is told.

One function a transition, named after what it claims; those that may not apply return None.
"""

from __future__ import annotations

from dataclasses import replace

from streamgauge.alert.policy import IncidentPolicy, duration_in_words, is_worse
from streamgauge.model.change import Action, Change, ChangeReason
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.words import IncidentState

DETECTOR = "detector"
"""The actor of every transition in this module."""


def moved_on(
    incident: Incident,
    reason: ChangeReason,
    entry: TimelineEntry,
    notify: Action | None,
) -> Change:
    """The change whose incident has `entry` as its next transition."""
    after = replace(incident, sequence=incident.sequence + 1, timeline=(*incident.timeline, entry))
    return Change(after, reason, entry, notify)


def opened(finding: Finding, incident_id: str, now: float) -> Change:
    """A new incident."""
    incident = Incident(
        id=incident_id,
        key=finding.key,
        kind=finding.kind,
        scope=finding.scope,
        state=IncidentState.OPEN,
        severity=finding.severity,
        suspected=finding.suspected,
        since=finding.since,
        opened_at=now,
        closed_at=None,
        summary=finding.summary,
        evidence=dict(finding.evidence),
        affected=finding.affected,
        told_severity=finding.severity,
        told_affected_count=len(finding.affected),
    )
    entry = TimelineEntry(now, "opened", DETECTOR, f"first evidence: {finding.summary}")
    return moved_on(incident, ChangeReason.FIRST_EVIDENCE, entry, Action.CREATE)


def came_again(last: Incident, finding: Finding, now: float) -> Change:
    """The same trouble so soon after it closed that it is the same incident."""
    gap_s = now - (now if last.closed_at is None else last.closed_at)
    text = f"came again {duration_in_words(gap_s)} after it closed: {finding.summary}"
    return _reopened(last, finding, ChangeReason.CAME_AGAIN, text, now)


def reopened_if_worse(held: Incident, finding: Finding, now: float) -> Change | None:
    """One that was closed by hand comes back only when it is worse than anyone was told."""
    told = held.told_severity or held.severity
    if not is_worse(finding.severity, told):
        return None
    text = f"severity rose {told} → {finding.severity} after it was closed by hand"
    return _reopened(held, finding, ChangeReason.WORSE_SINCE_CLOSED, text, now)


def _reopened(
    last: Incident, finding: Finding, reason: ChangeReason, text: str, now: float
) -> Change:
    after = _with_finding(last, finding)
    incident = replace(
        after,
        state=IncidentState.OPEN,
        closed_at=None,
        is_held=False,
        told_severity=finding.severity,
        told_affected_count=len(after.affected),
    )
    return moved_on(incident, reason, TimelineEntry(now, "reopened", DETECTOR, text), Action.CREATE)


def closed(incident: Incident, reason: ChangeReason, text: str, now: float) -> Change:
    """The trouble is over, or belongs to a larger one; told once."""
    after = replace(incident, state=IncidentState.CLOSED, closed_at=now)
    return moved_on(after, reason, TimelineEntry(now, "closed", DETECTOR, text), Action.CLOSE)


def hold_ended(incident: Incident, now: float) -> Change:
    """What was closed by hand is really over, so that the same trouble may open again."""
    text = "the trouble that was closed by hand is over"
    return moved_on(
        replace(incident, is_held=False),
        ChangeReason.HOLD_ENDED,
        TimelineEntry(now, "note", DETECTOR, text),
        None,
    )


def severity_changed(incident: Incident, finding: Finding, now: float) -> Change | None:
    """Told when it is worse than anyone was told; a fall, or a return, is only written down."""
    if finding.severity == incident.severity:
        return None
    has_risen = is_worse(finding.severity, incident.severity)
    text = f"severity {'rose' if has_risen else 'fell'} {incident.severity} → {finding.severity}"
    entry = TimelineEntry(now, "updated", DETECTOR, text)
    after = _with_finding(incident, finding)
    if not is_worse(finding.severity, incident.told_severity or incident.severity):
        reason = ChangeReason.SEVERITY_ROSE if has_risen else ChangeReason.SEVERITY_FELL
        return moved_on(after, reason, entry, None)
    told = replace(after, told_severity=finding.severity, told_affected_count=len(after.affected))
    return moved_on(told, ChangeReason.SEVERITY_ROSE, entry, Action.UPDATE)


def grown(
    incident: Incident, finding: Finding, now: float, policy: IncidentPolicy
) -> Change | None:
    """It hurts far more tenants than anyone was told."""
    after = _with_finding(incident, finding)
    count, told = len(after.affected), incident.told_affected_count
    if count < policy.growth_factor * told or count - told < policy.growth_min:
        return None
    text = f"affects {count} customers, was {told}"
    after = replace(after, told_affected_count=count)
    entry = TimelineEntry(now, "updated", DETECTOR, text)
    return moved_on(after, ChangeReason.AFFECTS_MORE, entry, Action.UPDATE)


def refreshed(incident: Incident, finding: Finding, policy: IncidentPolicy) -> Change | None:
    """Newer words and numbers, without a transition; None while they tell the same."""
    after = _with_finding(incident, finding)
    tolerance = policy.evidence_tolerance_ratio
    if replace(after, evidence=incident.evidence) == incident and not evidence_moved(
        incident.evidence, finding.evidence, tolerance
    ):
        return None
    return Change(after, ChangeReason.REFRESHED, None)


def evidence_moved(old: Evidence, new: Evidence, tolerance_ratio: float) -> bool:
    """Whether a number moved by more than `tolerance_ratio`, or anything else changed at all."""
    if old.keys() != new.keys():
        return True
    return any(_differs(old[name], new[name], tolerance_ratio) for name in old)


def _differs(old: object, new: object, tolerance_ratio: float) -> bool:
    if _is_number(old) and _is_number(new):
        assert isinstance(old, int | float) and isinstance(new, int | float)  # noqa: S101, PT018
        return abs(new - old) > tolerance_ratio * max(abs(old), abs(new))
    return old != new


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_finding(incident: Incident, finding: Finding) -> Incident:
    """The incident with what the finding says now.

    It began at the earliest time ever told, and names everyone it ever hurt, those hurt now first.
    """
    return replace(
        incident,
        severity=finding.severity,
        suspected=finding.suspected,
        since=min(incident.since, finding.since),
        summary=finding.summary,
        evidence=dict(finding.evidence),
        affected=tuple(dict.fromkeys((*finding.affected, *incident.affected))),
    )
