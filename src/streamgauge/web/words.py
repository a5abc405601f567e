"""The model's words as people read them: never colour alone, always a word beside the sign."""

from __future__ import annotations

from typing import NamedTuple

from streamgauge.model.expected import FlowState
from streamgauge.model.incident import Incident
from streamgauge.model.words import Health, IncidentState, Kind, Outcome, Severity, Suspected


class Sign(NamedTuple):
    """A word, the name of its tone in the style sheet, and its icon in the sprite."""

    word: str
    tone: str
    icon: str


HEALTH: dict[Health, Sign] = {
    Health.OK: Sign("Flowing", "good", "check"),
    Health.DEGRADED: Sign("Needs attention", "warn", "alert"),
    Health.DOWN: Sign("Down", "bad", "cross"),
    Health.UNKNOWN: Sign("Unknown", "muted", "question"),
}
NOT_READY = Sign("Not ready", "bad", "alert")
ALL_WELL = Sign("All well", "good", "check")
NEEDS_A_LOOK = Sign("Needs a look", "warn", "info")
QUIET = Sign("Quiet", "muted", "pause")
"""No message of late, and nothing is open about it."""

EXCUSED: dict[FlowState | None, Sign] = {
    FlowState.PAUSED: Sign("Paused", "muted", "pause"),
    FlowState.RETIRED: Sign("Retired", "muted", "cross"),
}
"""Nothing is expected of it, so it is neither well nor quiet."""

SEVERITY: dict[Severity, Sign] = {
    Severity.P1: Sign("P1 critical", "bad", "cross"),
    Severity.P2: Sign("P2 high", "bad", "alert"),
    Severity.P3: Sign("P3 moderate", "warn", "alert"),
    Severity.P4: Sign("P4 low", "muted", "info"),
    Severity.P5: Sign("P5 informational", "muted", "info"),
}
STATE: dict[IncidentState, Sign] = {
    IncidentState.OPEN: Sign("Open", "warn", "dot"),
    IncidentState.ACKNOWLEDGED: Sign("Acknowledged", "info", "eye"),
    IncidentState.CLOSED: Sign("Closed", "good", "check"),
}
SIDE: dict[Suspected, str] = {
    Suspected.CUSTOMER: "The customer's side",
    Suspected.PLATFORM: "Our side: the platform",
    Suspected.INTEGRATION: "The integration's side",
    Suspected.FILTER: "A filter",
    Suspected.COLLECTOR: "The monitoring itself",
    Suspected.UNKNOWN: "Side not known",
}
KIND: dict[Kind, str] = {
    Kind.SILENCE: "Silence",
    Kind.DROP: "Fewer messages",
    Kind.SURGE: "More messages",
    Kind.ERRORS: "Errors",
    Kind.BACKLOG: "Backlog",
    Kind.LATENCY: "Latency",
    Kind.LOSS: "Loss",
    Kind.CAPACITY: "Capacity",
    Kind.BLIND: "Blind",
    Kind.SLO: "Objective at risk",
    Kind.RULE: "Your rule",
    Kind.EXTERNAL: "Reported to us",
}
OUTCOME: dict[str, Sign] = {
    Outcome.OK: Sign("ok", "good", "check"),
    Outcome.ERROR: Sign("error", "bad", "cross"),
    Outcome.FILTERED: Sign("filtered", "muted", "pause"),
    Outcome.RETRIED: Sign("retried", "warn", "alert"),
    Outcome.DROPPED: Sign("dropped", "bad", "cross"),
    Outcome.EXPIRED: Sign("expired", "bad", "clock"),
}
"""What happened to a message at a stage."""
ACTION_TONE: dict[str, str] = {"opened": "bad", "reopened": "bad", "closed": "good"}


def place_of(incident: Incident) -> list[tuple[str, str]]:
    """Where it is, as (label, name) pairs: none of them is the whole platform."""
    scope = incident.scope
    labels = ("Customer", "Source", "Integration", "Pipeline")
    return [(label, name) for label, name in zip(labels, scope, strict=True) if name is not None]


def outcome_sign(outcome: str) -> Sign:
    """The sign of an outcome; of one that is none of ours, its word."""
    return OUTCOME.get(outcome) or Sign(outcome, "muted", "question")


def name_or_blank(name: str) -> str:
    """A name to read; an empty one means that the sender gave none."""
    return name or "(not named)"
