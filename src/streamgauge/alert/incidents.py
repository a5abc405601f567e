"""The state machine of incidents: from all findings that hold now to what changes. Pure.

It never asks for the time, never stores and never tells anyone: `state` keeps its changes, `page`
tells them. A person's doing (acknowledge, close by hand, note) is in `alert.actions`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from streamgauge.alert import transitions
from streamgauge.alert.covering import covered_by
from streamgauge.alert.policy import DETECTED, OVER_REASONS, IncidentPolicy
from streamgauge.model.change import Change, ChangeReason
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident

NONE_CLOSED: Mapping[str, Incident] = MappingProxyType({})


def step(
    open_incidents: Mapping[str, Incident],
    findings: Sequence[Finding],
    now: float,
    new_id: Callable[[], str],
    recently_closed: Mapping[str, Incident] = NONE_CLOSED,
    policy: IncidentPolicy | None = None,
) -> list[Change]:
    """What changes when `findings` are all that holds at `now`.

    1. What a larger finding covers is not looked at by itself; its incident closes as a part.
    2. An open incident whose key is not told any more, or is told to be over, closes.
    3. An open incident whose key is told is told again if it grew, else refreshed if it moved.
    4. A key without open incident opens one, or reopens the one that closed a moment ago.
    5. One that was closed by hand stays closed while its trouble goes on and gets no worse.

    Args:
        open_incidents: every incident that is not closed, by key.
        findings: at most one a key is used, the first.
        now: epoch seconds.
        new_id: makes the id of a new incident.
        recently_closed: by key, the last one closed within `policy.reopen_within_s`, and every
            one that is held (`Incident.is_held`).
        policy: the numbers decided by.

    Returns:
        At most one change a key: closings first, so that no one sees two of one trouble open.
    """
    policy = policy or IncidentPolicy()
    covered = covered_by(findings)
    told: dict[str, Finding] = {}
    for finding in findings:
        told.setdefault(finding.key, finding)
    holding = {
        key: finding
        for key, finding in told.items()
        if key not in covered and not finding.over_reason
    }
    changes = [
        _ended(incident, covered.get(key), told.get(key), now)
        for key, incident in open_incidents.items()
        if key not in holding and (incident.kind in DETECTED or key in covered or key in told)
    ]
    changes += [
        transitions.hold_ended(incident, now)
        for key, incident in recently_closed.items()
        if incident.is_held and key not in holding and key not in covered
    ]
    for key, finding in holding.items():
        change = (
            _continued(open_incidents[key], finding, now, policy)
            if key in open_incidents
            else _begun(finding, recently_closed.get(key), now, new_id, policy)
        )
        if change:
            changes.append(change)
    return changes


def _ended(
    incident: Incident, parent: Finding | None, finding: Finding | None, now: float
) -> Change:
    if parent:
        reason = f"part of: {parent.summary}"
        return transitions.closed(incident, ChangeReason.PART_OF_PARENT, reason, now)
    if finding:
        return transitions.closed(incident, ChangeReason.OVER, finding.over_reason, now)
    reason = OVER_REASONS.get(incident.kind, "it is no longer told")
    return transitions.closed(incident, ChangeReason.NOT_TOLD, reason, now)


def _begun(
    finding: Finding,
    last: Incident | None,
    now: float,
    new_id: Callable[[], str],
    policy: IncidentPolicy,
) -> Change | None:
    if last and last.is_held:
        return transitions.reopened_if_worse(last, finding, now)
    if last and last.closed_at is not None and now - last.closed_at <= policy.reopen_within_s:
        return transitions.came_again(last, finding, now)
    return transitions.opened(finding, new_id(), now)


def _continued(
    incident: Incident, finding: Finding, now: float, policy: IncidentPolicy
) -> Change | None:
    severity = transitions.severity_changed(incident, finding, now)
    if severity and severity.notify:
        return severity
    return (  # what people must be told goes before what is only written down
        transitions.grown(incident, finding, now, policy)
        or severity
        or transitions.refreshed(incident, finding, policy)
    )
