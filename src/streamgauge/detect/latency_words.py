"""Says in words what is slow, since when, and compared with what."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.latency_recent import seconds
from streamgauge.detect.levels import Level, Names
from streamgauge.detect.sentences import at_utc, count_of, named, share
from streamgauge.detect.slow import Slow
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.words import Kind, Severity, Suspected


def latency_key(names: Names) -> str:
    """The key of a group's own finding."""
    return Finding(Kind.LATENCY, names.scope, Severity.P3, Suspected.UNKNOWN, 0.0, "").key


def takes(bucket: float) -> str:
    """`40 ms`, `1.2 s`, `3 min`."""
    value = seconds(bucket)
    if value < 1.0:
        return f"{1000.0 * value:.2g} ms" if value < 0.1 else f"{1000.0 * value:.0f} ms"
    return f"{value:.1f} s" if value < 100.0 else f"{value / 60.0:.0f} min"


def sentence(
    names: Names, slow: Slow, tenants: list[str], total: int, now: float, median: float | None
) -> str:
    """Who is slow, since when, how long it takes, compared with what.

    Args:
        names: whom it is about.
        slow: the worst of it.
        tenants: customers to name.
        total: customers in all.
        now: epoch seconds.
        median: the bucket that half of the messages pass now; None: not known.
    """
    usual = takes(slow.usual_bucket) if np.isfinite(slow.usual_bucket) else ""
    if median is not None and median > slow.usual_bucket:
        much = f"half of the messages take more than {takes(median)}"
    elif np.isfinite(slow.threshold_bucket):
        much = f"{share(slow.share)} of the messages take more than {takes(slow.threshold_bucket)}"
    else:
        much = "messages take longer than usual"
    of = "95" if slow.which == 0 else "99"
    than = f"; usually {of} of 100 take less than {usual}" if usual else ""
    return f"{_who(names, tenants, total)} since {at_utc(slow.since, now)}: {much}{than}."


def _who(names: Names, tenants: list[str], total: int) -> str:
    if names.level is Level.INTEGRATION:
        who = f"for {len(tenants)} of {count_of(total, 'customer')} ({named(tenants)})"
        return f"Integration {names.integration} is slow {who if tenants else 'for all customers'}"
    if names.level is Level.TENANT_INTEGRATION:
        return f"Integration {names.integration} is slow for customer {names.tenant}"
    if names.level is Level.TENANT:
        return f"Messages of customer {names.tenant} are slow"
    return "Messages are slow all over the platform"


def evidence(slow: Slow, median: float | None) -> Evidence:
    """The numbers behind the sentence."""
    known = np.isfinite(slow.threshold_bucket)
    return {
        "slow_count": round(slow.slow),
        "total_count": round(slow.count),
        "slow_ratio": round(slow.share, 4),
        "usual_ratio": round(slow.usual, 4),
        "threshold_s": round(seconds(slow.threshold_bucket), 4) if known else None,
        "usual_s": round(seconds(slow.usual_bucket), 4) if known else None,
        "median_s": None if median is None else round(seconds(median), 4),
        "evidence_nats": round(slow.nats, 1),
        "bar_nats": round(slow.bar_nats, 1),
        "p_value": float(np.exp(-min(slow.nats, 700.0))),
    }


def over(slow: Slow, now: float) -> str:
    """Why it is over: messages take as long as usual again."""
    usual = f" ({takes(slow.usual_bucket)} or less)" if np.isfinite(slow.usual_bucket) else ""
    return f"messages take as long as usual again{usual}, seen at {at_utc(now, now)}"


def usual_now() -> str:
    """Why it is over: it went on for so long that it is the habit."""
    return "slower than before for two days, now usual"
