"""What is usual for rows over any stretch of time: the habit's rates over seen time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.shape import WEEK

_LONGEST_HOURS = 5 * WEEK


class HabitUsual:
    """Answers `watcher.Usual` from a habit."""

    def __init__(self, habit: Habit, seen: SeenTime) -> None:
        self._habit, self._seen = habit, seen

    def expected(self, rows: Ints, start_s: Floats, end_s: Floats | float) -> Floats:
        """Messages [rows] usually counted in the seen time of a stretch of up to five weeks."""
        total = np.zeros(len(rows))
        if not len(rows):
            return total
        end = np.broadcast_to(np.asarray(end_s, float), total.shape)
        last = int(end.max() // 3600)
        first = max(int(start_s.min() // 3600), last - _LONGEST_HOURS)
        for hour in range(first, last + 1):
            begin = np.clip(start_s, hour * 3600.0, (hour + 1) * 3600.0)
            until = np.maximum(np.minimum(end, (hour + 1) * 3600.0), begin)
            seconds = self._seen.seconds(begin, until)
            total += self._habit.rate(rows, hour % WEEK) * seconds / 3600.0
        return total

    def dispersion(self, rows: Ints) -> Floats:
        """1/r [rows] of messages an hour."""
        return self._habit.dispersion[rows].astype(np.float64)

    def hours_learned(self, rows: Ints) -> Floats:
        """Seen hours [rows] that were learned from."""
        return self._habit.hours[rows].astype(np.float64)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is usual for one scope, for pages."""

    interval_s: float
    """The usual time between its reports."""
    per_hour: float
    """Messages expected in the running hour of the week."""
    last_message_at: float | None
    """Epoch seconds."""
