"""Says in words what is silent, since when, and compared with what."""

from __future__ import annotations

import math
from collections.abc import Callable

from streamgauge.detect.levels import Level, Names
from streamgauge.detect.sentences import at_utc, duration, number, usual_pace
from streamgauge.detect.silences import Silence
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected


def key(scope: Scope, subject: str) -> str:
    """The key of a silence."""
    return Finding(
        Kind.SILENCE, scope, Severity.P3, Suspected.UNKNOWN, 0.0, "", subject=subject
    ).key


def key_of(names: Names) -> str:
    """The key of a group's own silence."""
    return key(names.scope, names.stage or "")


DONE = {
    "received": "received",
    "delivered": "delivered",
    "queued": "queued",
    "processed": "processed",
}
WHAT: dict[Level, Callable[[Names], str]] = {
    Level.SOURCE: lambda n: f"Customer {n.tenant} has sent nothing from source {n.source}",
    Level.TENANT: lambda n: f"Customer {n.tenant} has sent nothing",
    Level.TENANT_INTEGRATION: lambda n: (
        f"Nothing has been delivered to {n.integration} for customer {n.tenant}"
    ),
    Level.INTEGRATION: lambda n: f"Integration {n.integration} has delivered nothing",
    Level.PLATFORM: lambda _: "No customer has sent anything",
    Level.FLOW: lambda n: f"Nothing {n.stage} for customer {n.tenant}",
}


def sentence(
    what: str, since: float, expected: float, per_hour: float, watermark: float, now: float
) -> str:
    """Who, since when, compared with what; all instants are epoch seconds."""
    until = f" (seen until {at_utc(watermark, now)})" if now - watermark > 600 else ""
    return (
        f"{what} since {at_utc(since, now)} ({duration(watermark - since)}); usually "
        f"{usual_pace(per_hour)}, {number(expected)} "
        f"{'was' if number(expected) == '1' else 'were'} expected{until}."
    )


def evidence(silences: list[Silence], watermark: float) -> dict[str, str | float | list[str]]:
    """The numbers behind the sentence."""
    nats = max(s.nats for s in silences)
    return {
        "last_message_at": min(s.since for s in silences),
        "silent_s": round(watermark - min(s.since for s in silences), 1),
        "expected_count": (round(sum(s.expected for s in silences), 1)),
        "usual_per_hour": (round(sum(s.per_hour for s in silences), 2)),
        "evidence_nats": (round(nats, 1)),
        "p_value": float(math.exp(-min(nats, 700.0))),
    }
