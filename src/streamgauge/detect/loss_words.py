"""Says how many messages are missing, of how many, and since when."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.detect.sentences import at_utc, count_of, named, number, share
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Kind, Severity, Suspected

DOUBLES = "doubles"
"""The subject of more ends than messages."""
_SURE = 1.96
"""Standard deviations to both sides: 95 of 100 such intervals hold the truth."""
_P2_SHARE = 0.1
_P2_WIDE_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing (or too much) in one scope."""

    missing: float
    """Messages, without what waits in queues; below zero: ended more often than received."""
    deviation: float
    due: float
    """Messages that should have ended in that time."""
    ratio: float
    """Ends that are due for each message received."""
    waiting: float
    """By how much the backlog of its queues grew (or fell) in that time."""
    since_hour: int
    until_hour: int
    """The last hour that was weighed."""
    nats: float
    bar_nats: float
    platform_share: float
    """What is missing, of all that is due in the platform."""
    tenants: tuple[str, ...]
    """Who falls short, the most first."""
    integration_count: int = 1
    """To how many integrations: of each message, so many ends are due."""


def key_of(scope: Scope, is_surplus: bool) -> str:
    """The key of a loss, or of doubles."""
    subject = DOUBLES if is_surplus else ""
    return Finding(Kind.LOSS, scope, Severity.P3, Suspected.UNKNOWN, 0.0, "", subject=subject).key


def loss_finding(scope: Scope, of: Shortfall, now: float, covers: tuple[str, ...]) -> Finding:
    """The finding of one scope."""
    is_surplus = of.missing < 0.0
    return Finding(
        Kind.LOSS,
        scope,
        _severity(scope, of),
        _suspected(scope),
        3600.0 * of.since_hour,
        _sentence(scope, of, now),
        _evidence(of),
        of.tenants,
        DOUBLES if is_surplus else "",
        covers=covers,
    )


def _severity(scope: Scope, of: Shortfall) -> Severity:
    part = abs(of.missing) / max(of.due, 1.0)
    if of.missing < 0.0:
        return Severity.P4
    is_wide = scope.tenant is None and len(of.tenants) != 1
    if of.platform_share >= _P2_SHARE or (is_wide and part >= _P2_WIDE_SHARE):
        return Severity.P2
    return Severity.P3


def _suspected(scope: Scope) -> Suspected:
    is_of_integration = scope.integration is not None and scope.tenant is None
    return Suspected.INTEGRATION if is_of_integration else Suspected.PLATFORM


def _sentence(scope: Scope, of: Shortfall, now: float) -> str:
    low, high = bounds(of)
    start, end = 3600.0 * of.since_hour, 3600.0 * (of.until_hour + 1)
    when = f"between {at_utc(start, now)} and {at_utc(end, now)}"
    part = share(abs(of.missing) / max(of.due, 1.0))
    many = f"between {number(low)} and {number(high)}"
    usual = "usually none is unaccounted for"
    if of.integration_count > 1:
        of_all = f"{number(of.due)} ends due for messages received {when}"
    elif abs(of.ratio - 1.0) <= 0.02:
        of_all = f"{number(of.due)} messages received {when}"
    else:
        of_all = f"{number(of.due)} ends due for messages received {when}"
        usual = f"usually {number(100.0 * of.ratio)} end for each 100 received"
    who = scope.describe()
    if len(of.tenants) > 1:
        who += f", {count_of(len(of.tenants), 'customer')} ({named(list(of.tenants))})"
    who = who[:1].upper() + who[1:]
    if of.missing < 0.0:
        return (
            f"{who}: {many} more ends than the {of_all} ({part}): "
            "delivered twice, or not counted when they were received?"
        )
    waits = f" {number(of.waiting)} more wait in its queues." if of.waiting >= 1.0 else ""
    return (
        f"{who}: {many} of {of_all} were neither delivered, filtered nor failed ({part}; {usual})."
        f"{waits}"
    )


def bounds(of: Shortfall) -> tuple[float, float]:
    """The interval of messages lost (or doubled): at least 1, at most all that were due."""
    size = abs(of.missing)
    low, high = size - _SURE * of.deviation, size + _SURE * of.deviation
    low = max(low, 1.0)
    return low, max(high if of.missing < 0.0 else min(high, of.due), low)


def _evidence(of: Shortfall) -> Evidence:
    low, high = bounds(of)
    return {
        "expected_count": round(of.due, 1),
        "observed_count": round(of.due - of.missing - max(of.waiting, 0.0), 1),
        "missing_count": round(of.missing, 1),
        "at_least_count": round(low, 1),
        "at_most_count": round(high, 1),
        "waiting_count": round(of.waiting, 1),
        "loss_ratio": round(of.missing / max(of.due, 1.0), 6),
        "ends_per_received": round(of.ratio, 4),
        "evidence_nats": round(of.nats, 1),
        "bar_nats": round(of.bar_nats, 1),
        "until_at": 3600.0 * (of.until_hour + 1),
    }


def over_reason(scope: Scope, lost: float, has_caught_up: bool, is_accepted: bool) -> str:
    """Why a loss (or doubles, below zero) ended."""
    if is_accepted:
        return "two days later it is taken for usual"
    if lost < 0.0:
        return "no more ends than messages were received"
    if has_caught_up:
        return "the missing messages ended late"
    who = "all of the platform" if scope == PLATFORM else "it"
    return f"what was received for {who} ends again; about {number(max(lost, 1.0))} were lost"
