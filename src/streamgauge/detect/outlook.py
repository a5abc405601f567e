"""When a queue will be empty: a fluid that runs in at the usual load and out at the rate seen.

Source: fluid approximation of a queue, Newell, Applications of Queueing Theory (2nd ed., 1982),
chapter 2.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Floats

_FARTHEST_HOURS = 48
_LEAST_GAIN_PER_S = 1e-9


def seconds_to_drain(
    backlog: float,
    in_per_s: float,
    out_per_s: float,
    now: float,
    load: Callable[[int, int], Floats] | None = None,
) -> float | None:
    """Seconds until nothing waits; None: never, or not within two days.

    Args:
        backlog: messages.
        in_per_s: that come now.
        out_per_s: that go out while something waits.
        now: epoch seconds.
        load: messages a second that usually come in hours since the epoch (first, how many); NaN
            where not known. What comes now is held against it; None: it stays as it is.
    """
    if not np.isfinite(backlog):
        return None
    factors = _factors(now, in_per_s, load)
    left, passed = float(backlog), 0.0
    for step in range(len(factors)):
        factor = float(factors[step])
        span = 3600.0 - now % 3600.0 if step == 0 else 3600.0
        gain = out_per_s - in_per_s * factor
        if gain > _LEAST_GAIN_PER_S and left <= gain * span:
            return passed + left / gain
        left, passed = max(left - gain * span, 0.0), passed + span
    gain = out_per_s - in_per_s * float(factors.mean())
    if load is not None or gain <= _LEAST_GAIN_PER_S:
        return None
    return passed + left / gain


def _factors(now: float, in_per_s: float, load: Callable[[int, int], Floats] | None) -> Floats:
    """What comes in the next hours, by what comes now."""
    usual = load(int(now // 3600), _FARTHEST_HOURS) if load is not None else np.zeros(0)
    if not len(usual) or not np.isfinite(usual).all() or usual[0] <= 0.0 or in_per_s <= 0.0:
        return np.ones(_FARTHEST_HOURS)
    return np.asarray(usual / usual[0], np.float64)
