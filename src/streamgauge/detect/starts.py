"""When the next run of each batch sender is due, and the evidence that it does not come.

Rows are looked at when their quiet begins to look like a silence, and a few hours later again: a
handful at a turn. See `batches` for what is learned.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.batches import schedule_of
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.sums import HOURS_KEPT, Sums

_DAY_S = 86_400.0
_LEARNED_FOR_HOURS = 6
_MOST_AT_ONCE = 256
_MOST_NATS = 700.0
_PERIOD, _OFFSET, _SPREAD, _DEGREES, _MOST, _SURE = range(6)


class Starts:
    """Schedules of batch senders: 8 bytes a row, 55 bytes a batch sender."""

    def __init__(self, habit: Habit, sums: Sums, seen: SeenTime) -> None:
        self._habit, self._sums, self._seen = habit, sums, seen
        self._place: Ints = np.zeros(64, np.int32)
        """[rows]: of its schedule; 0 for none."""
        self._learned_hour: Ints = np.zeros(64, np.int32)
        self._numbers: Floats = np.ones((16, 6))
        self._days: Bools = np.ones((16, 7), bool)
        self._count = 1

    def are_batches(self, rows: Ints) -> Bools:
        """Which of `rows` send in batches, as far as they were looked at."""
        self._make_room()
        return np.asarray(self._place[rows] > 0)

    def learn(self, rows: Ints, hour: int) -> None:
        """Look at `rows` that were not looked at lately; at some of them, if there are many."""
        self._make_room()
        age = hour - self._learned_hour[rows]
        rows = rows[(age < 0) | (age >= _LEARNED_FOR_HOURS)][:_MOST_AT_ONCE]
        if not len(rows):
            return
        first = (hour - HOURS_KEPT) // 24 * 24
        active, bits = self._sums.hours_of(rows, first, hour)
        for place, row in enumerate(rows.tolist()):
            begin = int((active[:, place] > 0.0).argmax()) // 24 * 24
            found = schedule_of(
                active[begin:, place],
                bits[begin:, place],
                first + begin,
                float(self._habit.mean_rate[row]),
            )
            self._learned_hour[row] = hour
            if found is None:
                self._place[row] = 0
                continue
            if not self._place[row]:
                self._place[row], self._count = self._count, self._count + 1
                self._numbers = grown(self._numbers, self._count, 1.0)
                self._days = grown(self._days, self._count, 1)
            at = self._place[row]
            self._days[at] = found.days
            self._numbers[at] = (
                found.period_s,
                found.offset_s,
                found.spread_s,
                found.degrees,
                found.most_nats,
                found.sure_s,
            )

    def nats(self, rows: Ints, last_s: Floats, watermark: float, plain: Floats) -> Floats:
        """Evidence [rows] of batch senders.

        Args:
            rows: all of them batch senders.
            last_s: since when each is quiet.
            watermark: up to when.
            plain: evidence as of any other row; it counts while the run cannot be over.
        """
        number = self._numbers[self._place[rows]]
        period, offset = number[:, _PERIOD], number[:, _OFFSET]
        run = np.floor((last_s - offset) / period + 0.25)
        due = self._next_start(rows, offset + (run + 1.0) * period)
        late = self._seen.seconds(np.minimum(due, watermark), watermark)
        with np.errstate(divide="ignore"):  # beyond what a float holds it is sure
            tail = -np.log(stdtr(number[:, _DEGREES], -late / number[:, _SPREAD]))
        missed = np.minimum(tail, number[:, _MOST])
        more = np.floor(late / period)
        missed += np.where(more > 0.0, more * np.minimum(number[:, _MOST], _MOST_NATS), 0.0)
        is_running = watermark <= offset + run * period + number[:, _SURE]
        found = np.where(late > 0.0, np.minimum(missed, _MOST_NATS), 0.0)
        return np.asarray(np.where(is_running, np.maximum(plain, found), found))

    def _next_start(self, rows: Ints, start: Floats) -> Floats:
        """From `start` on, the first on a day on which it runs."""
        place = self._place[rows]
        is_daily = self._numbers[place, _PERIOD] >= _DAY_S
        for _ in range(7):
            day = (start // _DAY_S).astype(np.int64) % 7
            is_off = is_daily & ~self._days[place, day]
            if not is_off.any():
                break
            start = start + np.where(is_off, _DAY_S, 0.0)
        return start

    def _make_room(self) -> None:
        rows = len(self._sums.last_s)
        self._place = grown(self._place, rows, 0)
        self._learned_hour = grown(self._learned_hour, rows, 0)
