"""Says what is wrong with a queue, and when it will be empty at the rates seen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.outlook import seconds_to_drain
from streamgauge.detect.sentences import at_utc, duration, number
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected


def scope_of(tags: tuple[str, str, str, str]) -> Scope:
    """The flows that a queue is for; `tags` are queue, pipeline, integration, tenant."""
    _, pipeline, integration, tenant = tags
    return Scope(tenant or None, None, integration or None, pipeline or None)


def backlog_key(tags: tuple[str, str, str, str]) -> str:
    """The key of a queue's finding; `tags` are queue, pipeline, integration, tenant."""
    return Finding(
        Kind.BACKLOG, scope_of(tags), Severity.P3, Suspected.UNKNOWN, 0.0, "", subject=tags[0]
    ).key


def backlog_finding(
    tags: tuple[str, str, str, str],
    why: str,
    since: float,
    now: float,
    *,
    age_s: float,
    usual_age_s: float | None,
    backlog: float,
    usual_backlog: float | None,
    slope_per_s: float,
    rates: tuple[float | None, float | None],
    consumers: float,
    load: Callable[[int, int], Floats],
) -> Finding:
    """One queue's finding; NaN and None are what was not reported."""
    queue, _, integration, tenant = tags
    drain_s = _drain_s(backlog, slope_per_s, rates)
    eased_s = _eased_s(backlog, rates, now, load)
    parts = [_what(queue, backlog, age_s, usual_age_s, usual_backlog)]
    if consumers == 0.0:
        parts.append("Nobody consumes from it.")
    parts.append(_outlook(drain_s, eased_s, now, rates))
    is_stuck = consumers == 0.0 or rates[1] == 0.0
    return Finding(
        Kind.BACKLOG,
        scope_of(tags),
        Severity.P2 if is_stuck or why == "abandoned" else Severity.P3,
        Suspected.INTEGRATION if integration and consumers != 0.0 else Suspected.PLATFORM,
        since,
        " ".join(parts),
        {
            "backlog": _known(backlog),
            "oldest_age_s": _known(age_s),
            "usual_age_s": usual_age_s,
            "usual_backlog": usual_backlog,
            "in_per_s": rates[0],
            "out_per_s": rates[1],
            "drain_s": drain_s,
            "drain_at_usual_load_s": eased_s,
            "rule": why,
        },
        (tenant,) if tenant else (),
        queue,
    )


def _known(value: float) -> float | None:
    return round(value, 1) if np.isfinite(value) else None


def _what(
    queue: str, backlog: float, age_s: float, usual_age_s: float | None, usual: float | None
) -> str:
    waits = (
        f"Queue {queue}: {number(backlog)} messages wait"
        if np.isfinite(backlog)
        else f"Queue {queue}: messages wait"
    )
    if usual is not None and np.isfinite(backlog):
        waits += f" (usually up to {number(usual)})"
    if not np.isfinite(age_s):
        return f"{waits}."
    waits += f", the oldest for {duration(age_s)}"
    return f"{waits}; usually up to {duration(usual_age_s)}." if usual_age_s else f"{waits}."


def _drain_s(
    backlog: float, slope_per_s: float, rates: tuple[float | None, float | None]
) -> float | None:
    """Seconds until empty at the rates seen; None: never, or unknown."""
    in_rate, out_rate = rates
    gain = out_rate - in_rate if in_rate is not None and out_rate is not None else -slope_per_s
    return backlog / gain if np.isfinite(backlog) and gain > 1e-9 else None


def _eased_s(
    backlog: float,
    rates: tuple[float | None, float | None],
    now: float,
    load: Callable[[int, int], Floats],
) -> float | None:
    """Seconds until empty if as much comes as usually does; None: never, or unknown."""
    if rates[0] is None or rates[1] is None:
        return None
    return seconds_to_drain(backlog, rates[0], rates[1], now, load)


def _outlook(
    drain_s: float | None,
    eased_s: float | None,
    now: float,
    rates: tuple[float | None, float | None],
) -> str:
    in_rate, out_rate = rates
    flow = (
        f" ({number(in_rate)} in, {number(out_rate)} out a second)"
        if in_rate is not None and out_rate is not None
        else ""
    )
    if drain_s is None or drain_s > 7 * 86_400.0:
        if eased_s is not None:
            return (
                f"At this rate it never drains{flow}; as the load usually falls, "
                f"at {at_utc(now + eased_s, now)}."
            )
        return f"At this rate it never drains{flow}."
    return f"Drains at {at_utc(now + drain_s, now)} at this rate{flow}."
