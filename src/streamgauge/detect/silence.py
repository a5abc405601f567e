"""How strongly each row's quiet speaks against "it still sends".

Evidence since a row's last message, over seen time only:

1. Nothing counts until its next report is due (last stamp + 2 usual intervals), and then from one
   interval after the last stamp. Of a sender that reports once in each minute, but at any second of
   it, whole minutes count.
2. Per hour, the weaker of two tests: r·ln(1 + Λ/r) for Λ messages expected (negative binomial),
   and the same for "was there a message in this minute at all", which clumps cannot fool. Where a
   report comes 99 times of 100, and its hours are full of them, the second is enough: one line a
   minute is no Poisson process.
3. Hours of the week never seen add no more than a few nats, unless the row speaks evenly around
   the clock: a first Saturday may simply be free.
4. What is learned from n active minutes is not surer than n allows: n·ln(1 + S/n).
5. Of a batch sender only a start that is late counts, and a run that breaks off (`starts`).
6. Where minutes have come late before, no surer than that allows (`live_gaps`).

The bar is a budget of false alarms: ln(chances a week x flows / false pages a week allowed), and
never below what the row's own past reached without a fault.

Source: DESIGN section 6; survival of a gamma-mixed Poisson, Johnson, Kemp & Kotz, Univariate
Discrete Distributions, section 5.3.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.nats import silence_nats
from streamgauge.detect.open_time import OpenTime
from streamgauge.detect.shape import WEEK
from streamgauge.detect.starts import Starts
from streamgauge.detect.sums import HOURS_KEPT, Sums
from streamgauge.detect.whole_hours import WholeHours

BAR_LOWEST = 7.0
UNSEEN_NATS = 4.0
_STAGGER_S = 10.0
"""Senders that report in the same second arrive some seconds apart."""
_ONCE_A_MINUTE_S = 18.0
_ACTIVE_MINUTES_NEEDED = 6
_PEAK_MARGIN = 1.4
"""New quiet must speak this much louder than any of the past."""


class SilenceEvidence:
    """Evidence of every row, remembered by the hour so that a tick only adds the running hour."""

    def __init__(
        self,
        habit: Habit,
        sums: Sums,
        seen: SeenTime,
        open_time: OpenTime | None = None,
        budget: FalsePages | None = None,
        flow_count: Callable[[], int] = lambda: 0,
    ) -> None:
        self._flow_count = flow_count
        self._budget = budget or FalsePages()
        self._habit, self._sums, self._seen = habit, sums, seen
        self._open_time = open_time or OpenTime(seen)
        self._starts = Starts(habit, sums, seen)
        self._calendar: Ints = np.zeros(64, np.int32)
        """[rows]: one more than the number of its calendar."""
        self._has_hours = False
        self._from_s: Floats = np.zeros(64)
        self._whole = WholeHours()
        self._version = 0

    def forget(self) -> None:
        """The habit, or what was seen, changed: nothing remembered holds any more."""
        self._whole.forget()

    def count_from(self, rows: Ints, at: float) -> None:
        """Quiet of `rows` before `at` is explained; only what comes after it is evidence."""
        self._make_room()
        self._from_s[rows] = at
        self._whole.forget()

    def interval_s(self, rows: Ints) -> Floats:
        """The usual time [rows] between reports."""
        minutes = self._habit.interval_s[rows]
        return np.where(minutes <= 61.0, self._within_minute_s(rows), minutes)

    def _within_minute_s(self, rows: Ints) -> Floats:
        """The time [rows] between reports of those that report in every minute.

        What is left of the minute that their stamps span, whether the start or the end of an
        interval is stamped; of stamps at any second that is the longer gaps.
        """
        return np.asarray(np.clip(60.0 - self._sums.span_s[rows], 1.0, 60.0))

    def _is_anywhere(self, rows: Ints) -> Bools:
        """Whether the last stamp [rows] of a minute stands at any second of it."""
        tail = self._sums.tail_s[rows]
        spread = self._sums.tail_square[rows] - tail**2
        return np.asarray(spread > np.maximum((0.35 * tail) ** 2, 1.0))

    def _counts_whole_minutes(self, rows: Ints) -> Bools:
        """Whether [rows] one report comes in each minute, at any second of it."""
        once = self._sums.tail_s[rows] >= _ONCE_A_MINUTE_S
        return np.asarray(once & self._is_anywhere(rows) & (self._habit.interval_s[rows] <= 61.0))

    def count_from_at_least(self, rows: Ints, at: Floats) -> None:
        """The same, each row from an instant of its own; what was counted from later stays so."""
        self._make_room()
        later = at > self._from_s[rows]
        if later.any():
            self._from_s[rows[later]] = at[later]
            self._whole.forget()

    def keep_hours(self, calendars: Ints) -> None:
        """Count only what lies in the hours of these calendars; [rows], -1 for all hours."""
        self._make_room()
        if not np.array_equal(self._calendar[: len(calendars)], calendars + 1):
            self._calendar[: len(calendars)] = calendars + 1
            self._version += 1
            self._has_hours = bool((calendars >= 0).any())
            self.forget()

    def hours_of(self, rows: Ints) -> Ints:
        """The number of the calendar [rows] that is their own; -1 for none."""
        self._make_room()
        return self._calendar[rows] - 1

    def quiet_s(self, rows: Ints, since: Floats, watermark: float) -> Floats:
        """Seconds [rows] since an instant, in their hours."""
        quiet = np.asarray(watermark - since)
        return self._in_hours(rows, quiet, since, watermark)

    def _in_hours(self, rows: Ints, seconds: Floats, start: Floats, end: float | Floats) -> Floats:
        if not self._has_hours:
            return seconds
        numbers = self.hours_of(rows)
        for number in np.unique(numbers[numbers >= 0]):
            at = np.flatnonzero(numbers == number)
            until = np.broadcast_to(end, seconds.shape)[at]
            seconds[at] = self._open_time.seconds(int(number), start[at], until)
        return seconds

    def due(self, rows: Ints, watermark: float) -> Bools:
        """Which of `rows` should have reported again by now."""
        quiet_s = self.quiet_s(rows, self._sums.last_s[rows], watermark)
        return np.asarray(quiet_s > 2.0 * self.interval_s(rows) + _STAGGER_S)

    def due_at(self, row: int) -> float:
        """When a row that has no hours of its own is due, epoch seconds."""
        interval_s = float(self.interval_s(np.array([row]))[0])
        return float(self._sums.last_s[row]) + 2.0 * interval_s + _STAGGER_S

    @property
    def version(self) -> int:
        """Grows when evidence may be more than `earliest` said."""
        return self._version + self._seen.refilled

    def nats(self, rows: Ints, watermark: float) -> Floats:
        """Evidence [rows] up to the watermark."""
        return self.nats_of(rows, self.total(rows, watermark), watermark)

    def nats_of(self, rows: Ints, total: Floats, watermark: float) -> Floats:
        """The same for what it adds up to: not surer than what was learned from allows."""
        learned = self._learned(rows, watermark)
        nats = self._of_batches(rows, watermark, learned * np.log1p(total / learned))
        quiet_s = watermark - np.maximum(self._sums.last_s[rows], self._from_s[rows])
        return np.asarray(np.minimum(nats, self._sums.live_gaps.most_nats(rows, quiet_s)))

    def nats_since(self, rows: Ints, since_s: float, watermark: float) -> Floats:
        """Evidence [rows] of the quiet after an instant alone, whatever was quiet before it."""
        self._make_room()
        end = np.full(len(rows), watermark)
        total = self._sum_range(rows, np.maximum(self._start(rows), since_s), end)
        learned = self._learned(rows, watermark)
        nats = learned * np.log1p(total / learned)
        at = np.flatnonzero(self._starts.are_batches(rows) & (self.hours_of(rows) < 0))
        if len(at):
            last = np.maximum(self._sums.last_s[rows[at]], self._from_s[rows[at]])
            before = self._starts.nats(rows[at], last, since_s, np.zeros(len(at)))
            nats[at] = self._starts.nats(rows[at], last, watermark, nats[at]) - before
        quiet_s = watermark - np.maximum(self._sums.last_s[rows], since_s)
        return np.asarray(np.minimum(nats, self._sums.live_gaps.most_nats(rows, quiet_s)))

    def _learned(self, rows: Ints, watermark: float) -> Floats:
        day = int(watermark // 3600) % WEEK // 24
        return np.maximum(self._habit.day_learned(rows, day), 1e-9)

    def _sum_range(self, rows: Ints, start: Floats, end: Floats) -> Floats:
        """What evidence [rows] adds up to from `start` to `end`."""
        hour = int(end.max(initial=0.0) // 3600)
        before, before_unseen = self._sum_hours(rows, start, hour)
        here, is_unseen = self._of_hour(rows, hour, start, end)
        unseen = before_unseen + np.where(is_unseen, here, 0.0)
        return before + np.where(is_unseen, 0.0, here) + np.minimum(unseen, UNSEEN_NATS)

    def earliest(self, rows: Ints, total: Floats | None = None, watermark: float = 0.0) -> Floats:
        """When [rows] evidence may reach the bar if nothing more comes: not later than it does.

        As if each minute told as much as one of the best hour. When a batch sender's evidence
        grows is another matter: it is asked at each turn once it is due.

        Args:
            rows: which.
            total: what evidence adds up to at the watermark; None: nothing, after the last message.
            watermark: epoch seconds.
        """
        bar = self.bar(rows, self._flow_count())
        learned = np.maximum(self._habit.active_minutes[rows].astype(np.float64), 1e-9)
        with np.errstate(over="ignore", invalid="ignore"):
            needed = learned * np.expm1(np.minimum(bar / learned, 700.0))
            pace = np.maximum(self._habit.fastest_nats[rows].astype(np.float64), 1e-9) / 60.0
            if total is not None:
                is_batch = self._starts.are_batches(rows)
                return np.where(is_batch, watermark, watermark + (needed - total) / pace)
            interval_s = self.interval_s(rows)
            last_s = self._sums.last_s[rows]
            due_s = last_s + interval_s + _STAGGER_S
            enough_s = last_s + 0.5 * interval_s + needed / pace
            return np.where(self._starts.are_batches(rows), due_s, np.maximum(due_s, enough_s))

    def total(self, rows: Ints, watermark: float) -> Floats:
        """What evidence [rows] up to the watermark adds up to."""
        self._make_room()
        hour = int(watermark // 3600)
        before, before_unseen = self._whole.of(
            rows, self._start(rows), hour, self._sums.last_s[rows], self._sum_hours
        )
        whole = np.floor(watermark / 60.0) * 60.0
        end = np.where(self._counts_whole_minutes(rows), whole, watermark)
        here, is_unseen = self._of_hour(rows, hour, self._start(rows), end)
        unseen = before_unseen + np.where(is_unseen, here, 0.0)
        total = before + np.where(is_unseen, 0.0, here)
        total += np.minimum(unseen, UNSEEN_NATS)
        return np.asarray(total)

    def _of_batches(self, rows: Ints, watermark: float, nats: Floats) -> Floats:
        """Evidence [rows], where a batch sender's is that its next start is late."""
        has_no_hours = self.hours_of(rows) < 0
        self._starts.learn(rows[(nats >= BAR_LOWEST) & has_no_hours], int(watermark // 3600))
        at = np.flatnonzero(self._starts.are_batches(rows) & has_no_hours)
        if len(at):
            since = np.maximum(self._sums.last_s[rows[at]], self._from_s[rows[at]])
            nats[at] = self._starts.nats(rows[at], since, watermark, nats[at])
        return nats

    def bar(self, rows: Ints, flow_count: int) -> Floats:
        """How much evidence [rows] a silence takes; infinite where too little is known."""
        habit = self._habit
        looks = 7.0 * np.clip(habit.active_per_day[rows], 1.0, 1440.0)
        budget = self._budget.bar(looks, flow_count, lowest=BAR_LOWEST)
        peak = np.where(habit.peak_nats[rows] < 3.0 * budget, habit.peak_nats[rows], 0.0)
        bar = np.maximum(budget, _PEAK_MARGIN * peak + np.where(peak > 0.0, 1.0, 0.0))
        bar = np.where(self._starts.are_batches(rows), budget, bar)
        known = habit.active_minutes[rows] >= _ACTIVE_MINUTES_NEEDED
        return np.where(known, bar, np.inf)

    def expected(self, row: int, start_s: float, end_s: float) -> float:
        """Messages expected of a row in the seen time of a range."""
        total, hour = 0.0, int(end_s // 3600)
        rows, start = np.array([row]), np.array([start_s])
        for now in range(max(int(start_s // 3600), hour - HOURS_KEPT), hour + 1):
            seconds = self._seconds(rows, now, start, end_s)
            total += float(self._habit.rate(rows, now % WEEK)[0] * seconds[0] / 3600.0)
        return total

    def _start(self, rows: Ints) -> Floats:
        last = np.maximum(self._sums.last_s[rows], self._from_s[rows])
        next_minute = (np.floor(last / 60.0) + 1.0) * 60.0
        whole = self._counts_whole_minutes(rows)
        return np.where(whole, next_minute, last + self.interval_s(rows))

    def _sum_hours(self, rows: Ints, start: Floats, hour: int) -> tuple[Floats, Floats]:
        """Evidence [rows] of the whole hours before `hour`: of hours that were seen, and others."""
        whole, unseen = np.zeros(len(rows)), np.zeros(len(rows))
        first = np.maximum(start // 3600, hour - HOURS_KEPT)
        for now in range(int(first.min(initial=hour)), hour):
            at = np.flatnonzero(first <= now)
            here, is_unseen = self._of_hour(rows[at], now, start[at], (now + 1) * 3600.0)
            whole[at] += np.where(is_unseen, 0.0, here)
            unseen[at] += np.where(is_unseen, here, 0.0)
        return whole, unseen

    def _of_hour(
        self, rows: Ints, hour: int, start_s: Floats, end_s: float | Floats
    ) -> tuple[Floats, Bools]:
        seconds, place = self._seconds(rows, hour, start_s, end_s), hour % WEEK
        habit = self._habit
        minute_nats = habit.nats(rows, place)
        nats = silence_nats(
            habit.rate(rows, place) * seconds / 3600.0,
            minute_nats * seconds / 60.0,
            minute_nats * habit.report_minutes[rows] * habit.is_steady[rows],
            np.maximum(habit.dispersion[rows].astype(float), 1e-4),
            np.maximum(habit.activity_dispersion[rows].astype(float), 1e-4),
        )
        # Hours that somebody gave are hours in which messages are due, known or not.
        return nats, ~habit.is_known(rows, place) & (self.hours_of(rows) < 0)

    def _seconds(self, rows: Ints, hour: int, start_s: Floats, end_s: float | Floats) -> Floats:
        begin = np.maximum(start_s, hour * 3600.0)
        end = np.minimum(end_s, (hour + 1) * 3600.0)
        begin = np.minimum(begin, end)
        return self._in_hours(rows, self._seen.seconds(begin, end), begin, end)

    def _make_room(self) -> None:
        rows = len(self._sums.last_s)
        self._from_s = grown(self._from_s, rows, 0.0)
        self._calendar = grown(self._calendar, rows, 0)
