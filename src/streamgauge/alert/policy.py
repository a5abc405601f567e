"""The few numbers that the incident state machine decides by, and the words for its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamgauge.model.words import Kind, Severity


@dataclass(frozen=True, slots=True)
class IncidentPolicy:
    """When the same trouble is the same incident, and when growth is worth telling."""

    reopen_within_s: float = 600.0
    """Trouble that comes again this soon after it closed is the same incident, reopened."""
    growth_factor: float = 2.0
    """Told again when it hurts this many times the tenants it was last told of, …"""
    growth_min: int = 2
    """… and at least this many more."""
    evidence_tolerance_ratio: float = 0.1
    """Numbers of the evidence are written anew when one moved by more than this share."""


OVER_REASONS: Mapping[Kind, str] = {
    Kind.SILENCE: "messages are no longer missing",
    Kind.DROP: "traffic is back at its habit",
    Kind.SURGE: "traffic is back at its habit",
    Kind.ERRORS: "errors are back at their habit",
    Kind.BACKLOG: "the queue is back at its habit",
    Kind.LATENCY: "latency is back at its habit",
    Kind.LOSS: "every message is accounted for again",
    Kind.CAPACITY: "there is room again",
    Kind.BLIND: "data arrives again",
    Kind.SLO: "the budget no longer burns too fast",
    Kind.RULE: "the rule no longer holds, or was removed",
}
"""Why an incident is over when its detector did not say."""

DETECTED: frozenset[Kind] = frozenset(OVER_REASONS)
"""The kinds whose end our detectors tell; all others end by their own sender's word."""


def is_worse(severity: Severity, than: Severity) -> bool:
    """Whether P1 … P5 `severity` is the more urgent one."""
    return severity.value < than.value


def duration_in_words(seconds: float) -> str:
    """`40 s`, `4 min`, `3 h`, `2 d`: rounded down to its largest unit."""
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{int(seconds // unit_s)} {unit}"
    return f"{max(0, int(seconds))} s"
