"""Says in words what sends fewer messages than usual, or more, since when, and how many."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.levels import Level, Names
from streamgauge.detect.sentences import at_utc, count_of, duration, named, number, share
from streamgauge.detect.shift import Shift
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected

SEVERAL = "several customers"
_SENDS: dict[Level, Callable[[Names], str]] = {
    Level.SOURCE: lambda n: f"Customer {n.tenant} sends from source {n.source}",
    Level.TENANT: lambda n: f"Customer {n.tenant} sends",
    Level.TENANT_INTEGRATION: lambda n: f"Integration {n.integration} delivers for {n.tenant}",
    Level.INTEGRATION: lambda n: f"Integration {n.integration} delivers",
    Level.PLATFORM: lambda _: "All customers together send",
}


def key(kind: Kind, scope: Scope, subject: str = "") -> str:
    """The key of a drop or a surge."""
    return Finding(kind, scope, Severity.P4, Suspected.UNKNOWN, 0.0, "", subject=subject).key


def shift_key(kind: Kind, names: Names) -> str:
    """The key of a group's own drop or surge."""
    return key(kind, names.scope)


def how_much(ratio: float) -> str:
    """`32 % of what is usual`, `2.5 times as much as usual`."""
    return f"{number(ratio)} times as much as usual" if ratio > 1.0 else f"{share(ratio)} of usual"


def sentence(
    names: Names, shifts: list[Shift], tenants: list[str], total_tenants: int, now: float
) -> str:
    """Who, how much, since when, compared with what.

    Args:
        names: whom it is about.
        shifts: what it is made of.
        tenants: customers to name; empty: those of `names` say enough.
        total_tenants: how many there are.
        now: epoch seconds.
    """
    counted, expected = sum(s.counted for s in shifts), sum(s.expected for s in shifts)
    since = min(s.since for s in shifts)
    much = how_much(counted / max(expected, 1e-9))
    if names.level is Level.PLATFORM and tenants:
        who = f"{count_of(len(tenants), 'customer')} ({named(tenants)}) send"
    else:
        who = _SENDS[names.level](names)
    of = ""
    if names.level is Level.INTEGRATION and tenants:
        of = f" for {len(tenants)} of {count_of(total_tenants, 'customer')} ({named(tenants)})"
    return (
        f"{who} {much}{of} since about {at_utc(since, now)}: {number(counted)} messages, "
        f"{number(expected)} were expected."
    )


def evidence(shifts: list[Shift]) -> Evidence:
    """The numbers behind the sentence."""
    counted, expected = sum(s.counted for s in shifts), sum(s.expected for s in shifts)
    first = max(shifts, key=lambda s: s.nats)
    hours = max(0.25, *(s.hours for s in shifts))
    band = 2.0 * np.sqrt(expected + first.spread * expected**2)
    return {
        "observed_count": round(counted),
        "expected_count": round(expected, 1),
        "expected_low_count": round(max(expected - band, 0.0), 1),
        "expected_high_count": round(expected + band, 1),
        "observed_ratio": round(counted / max(expected, 1e-9), 3),
        "observed_per_hour": round(counted / hours, 2),
        "usual_per_hour": round(expected / hours, 2),
        "evidence_nats": round(first.nats, 1),
        "bar_nats": round(first.bar_nats, 1),
        "p_value": float(np.exp(-min(first.nats, 700.0))),
    }


def over(shift: Shift, now: float) -> str:
    """Why it is over: as many as usual came again."""
    return (
        f"as many messages as usual again, seen at {at_utc(now, now)} "
        f"after {duration(now - shift.since)}"
    )


def usual_now(shift: Shift) -> str:
    """Why it is over: it went on for so long that it is the habit."""
    side = "lower" if shift.kind is Kind.DROP else "higher"
    return f"{side} than before for two days ({how_much(shift.ratio)}), now usual"
