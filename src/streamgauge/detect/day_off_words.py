"""Says in words who is as quiet as on a day off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.detect.sentences import at_utc, count_of, named, number
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.words import Kind, Severity, Suspected

SUBJECT = "day off"


@dataclass(frozen=True, slots=True)
class Free:
    """A customer on holiday."""

    tenant: str
    since: float
    """Epoch seconds: when it usually opens."""
    came: float
    """Messages since its day began."""
    usual: float
    free: float
    """As many are usual on its day off."""


def holiday(customers: Sequence[Free], now: float) -> Finding:
    """One ticket for all of them: that it is a holiday is a guess that people can judge."""
    customers = sorted(customers, key=lambda one: -one.usual)
    tenants = [one.tenant for one in customers]
    since = min(one.since for one in customers)
    came, usual = (sum(getattr(one, name) for one in customers) for name in ("came", "usual"))
    verb = "is" if len(tenants) == 1 else "are"
    return Finding(
        Kind.DROP,
        PLATFORM,
        Severity.P4,
        Suspected.CUSTOMER,
        since,
        f"{count_of(len(tenants), 'customer')} ({named(tenants)}) {verb} as quiet as on their "
        f"day off since {at_utc(since, now)}: a holiday? {number(came)} messages came today, "
        f"{number(usual)} were expected.",
        {
            "observed_count": round(came),
            "expected_count": round(usual, 1),
            "expected_on_day_off_count": round(sum(one.free for one in customers), 1),
            "customers_count": len(tenants),
        },
        tuple(tenants),
        SUBJECT,
    )
