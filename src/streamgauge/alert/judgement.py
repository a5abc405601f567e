"""Whether series of values were beyond a threshold, all at once. Pure; NaN is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.alert.rule import Rule
from streamgauge.model.views import Series

STEP_S = 60.0
"""Values are judged by the minute, as the rollups hold them."""
MIN_CLEAR_STEPS = 3
"""A rule is over after at least this many minutes within, however short its `for`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the values of each series say; arrays are [n_series]."""

    begins: NDArray[np.bool_]
    """Every known value of the last `for` is beyond, and at least half of them are known."""
    is_over: NDArray[np.bool_]
    """None of the last `for`, at least 3 minutes, is beyond, and at least half are known."""
    last: NDArray[np.float64]
    """The newest known value of the window; NaN where there is none."""
    worst: NDArray[np.float64]
    """The one furthest beyond, or nearest to it; NaN where there is none."""


def open_steps(rule: Rule) -> int:
    """Minutes that must be beyond for the rule to begin."""
    return max(1, int(np.ceil(rule.for_s / STEP_S)))


def window_steps(rule: Rule) -> int:
    """Minutes that have to be looked at, to begin or to end."""
    return max(open_steps(rule), MIN_CLEAR_STEPS)


def judge(rule: Rule, series: Sequence[Series]) -> Judgement:
    """What `series`, each of `window_steps(rule)` values, oldest first, say of `rule`."""
    rows = [one.values for one in series] or np.empty((0, window_steps(rule)))
    values = np.array(rows, dtype=np.float64)  # None becomes NaN
    known = ~np.isnan(values)
    sign = 1.0 if rule.direction == "above" else -1.0
    beyond = known & (sign * values > sign * rule.threshold)
    steps = open_steps(rule)
    return Judgement(
        begins=_enough(known[:, -steps:]) & ~(known & ~beyond)[:, -steps:].any(axis=1),
        is_over=_enough(known) & ~beyond.any(axis=1),
        last=_last_known(values, known),
        worst=_worst(values, known, sign),
    )


def _enough(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    count = known.sum(axis=1)
    return np.asarray((count > 0) & (2 * count >= known.shape[1]))


def _last_known(values: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    newest = values.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.asarray(values[np.arange(len(values)), newest])


def _worst(
    values: NDArray[np.float64], known: NDArray[np.bool_], sign: float
) -> NDArray[np.float64]:
    signed = np.where(known, sign * values, -np.inf)
    worst = signed.max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(worst), sign * worst, np.nan)
