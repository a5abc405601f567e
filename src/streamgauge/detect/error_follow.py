"""Counts what failed since it began, and gathers evidence that it is over.

Evidence for the end is a CUSUM by single messages, of the usual share against the share since it
began; minutes to which lines may still be added are judged anew at each turn, others once.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.error_habit import ErrorHabit
from streamgauge.detect.error_window import Window
from streamgauge.detect.failing import Failing

_LATE_MINUTES = 5
_COUNTED_HOURS = 72
_SURE = 0.97


def begin(
    group: int, nats: float, since_minute: int, window: Window, habit: ErrorHabit, now: float
) -> Failing:
    """A group that is proven to fail since a minute."""
    usual = float(habit.upper(np.array([group]))[0])
    failing = Failing(group, 60.0 * since_minute, now, nats, usual)
    lost, all_ = _counted(failing, window, habit)
    failing.worst = _surely(lost, all_, float(habit.mean[group]))
    newest = window.first + int(np.flatnonzero(window.of(group)[0]).max(initial=0))
    failing.judged_until = max(newest, since_minute)
    failing.failed, failing.total = int(lost), int(all_)
    return failing


def update(failing: Failing, nats: float, window: Window, habit: ErrorHabit) -> None:
    """Count what came since."""
    failing.nats = max(failing.nats, nats)
    lost, all_ = _counted(failing, window, habit)
    failing.failed, failing.total = max(int(lost), failing.failed), max(int(all_), failing.total)
    mean = float(habit.mean[failing.group])
    failing.worst = _surely(lost, all_, mean)
    spoke = np.flatnonzero(window.of(failing.group)[1])
    if len(spoke):
        failing.last_minute = max(failing.last_minute, window.first + int(spoke[-1]))
    _judge_good(failing, window, mean)


def _surely(lost: float, all_: float, mean: float) -> float:
    """The share that fails at least: what it was when it began is the largest of many."""
    all_ = max(all_, lost, 1.0)
    error = np.sqrt(lost * (1.0 - lost / all_))
    share = max(lost - 1.5 * error, 0.3 * lost) / all_
    return float(np.clip(share, min(2.0 * mean, _SURE), _SURE))


def _counted(failing: Failing, window: Window, habit: ErrorHabit) -> tuple[float, float]:
    """Failures and ends since it began; before the window, of whole hours."""
    hour, one = window.first // 60, np.array([failing.group])
    begun = max(int(failing.since // 3600), hour - _COUNTED_HOURS)
    settled = np.arange(max(begun, failing.counted_until), hour)
    if len(settled):
        lost, all_ = habit.hours(one, settled)
        failing.failed_before += float(lost.sum())
        failing.total_before += float(all_.sum())
    failing.counted_until = max(hour, failing.counted_until)
    start = max(int(failing.since // 60) - window.first, 0)
    failed, total = window.of(failing.group)
    return (
        failing.failed_before + float(failed[start:].sum()),
        failing.total_before + float(total[start:].sum()),
    )


def _judge_good(failing: Failing, window: Window, mean: float) -> None:
    failed, total = window.of(failing.group)
    usual = min(max(failing.usual, mean), 0.5 * failing.worst)
    for_failed = np.log(usual / failing.worst)
    for_good = np.log((1.0 - usual) / (1.0 - failing.worst))
    start = max(failing.judged_until - window.first + 1, 0)
    steps = failed[start:] * for_failed + (total[start:] - failed[start:]) * for_good
    if not len(steps):
        return
    level = failing.good_before + np.cumsum(steps, dtype=np.float64)
    level -= np.minimum(np.minimum.accumulate(level), 0.0)
    failing.good_nats = float(level[-1])
    newest = int(np.flatnonzero(total).max(initial=0))
    settled = 59 if newest >= 60 + _LATE_MINUTES else -1
    if settled >= start:
        failing.judged_until = window.first + settled
        failing.good_before = float(level[settled - start])
