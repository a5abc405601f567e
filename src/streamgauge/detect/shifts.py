"""The drops and surges that hold: followed block by block until they are over, or usual.

What was expected when one began is what it is compared with until its end: the habit may follow the
change meanwhile, so its level is measured by what it expects of the week before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.baseline import Baseline
from streamgauge.detect.blocks import step_nats, tail_nats
from streamgauge.detect.drop_words import over, shift_key, usual_now
from streamgauge.detect.levels import Levels
from streamgauge.detect.places import Places
from streamgauge.detect.shift import Shift
from streamgauge.detect.watcher import Usual
from streamgauge.model.words import Kind

_CLOSE_NATS = 5.0
_USUAL_AFTER_S = 48 * 3600.0
_WEEK_S = 7 * 86_400.0
_ALL = 0.98
_ACCEPTED = 0.1, 5.0
_HAS_FOLLOWED = 0.87, 1.15


class OpenShifts:
    """All that is open, and what became usual lately."""

    def __init__(
        self,
        levels: Levels,
        usual: Usual,
        places: Places,
        baseline: Baseline,
        excused: Callable[[Ints], Floats],
    ) -> None:
        self._levels, self._usual, self._excused = levels, usual, excused
        self._places, self._baseline = places, baseline
        self.open: dict[tuple[Kind, int], Shift] = {}
        """By kind and group."""
        self._accepted: dict[int, Shift] = {}
        """By place: what became usual, until the habit has followed."""
        self.ended: dict[str, str] = {}
        """Why each that ended at the last turn did, by key."""

    def restore(self, kind: Kind, group: int, since: float) -> None:
        """Hold open what was open before a restart: about half, or twice as much."""
        counted = 10.0 * (0.5 if kind is Kind.DROP else 2.0)
        self.open[kind, group] = Shift(
            kind, -1, group, self._levels.primary(group), since, since, 1.0, since, 0.0, counted,
            10.0, 0.0, 0.0, 0.0, 0.0, is_old=True,
        )  # fmt: skip

    def add(self, shift: Shift) -> None:
        """It is proven."""
        shift.week_expected = float(self._weeks([shift])[0])
        self.open[shift.kind, shift.group] = shift
        self._accepted.pop(shift.place, None)

    def _weeks(self, shifts: list[Shift]) -> Floats:
        """What the habit of now expects of the week before each of them."""
        ends = np.array([shift.week_end_s for shift in shifts])
        rows = np.array([shift.row for shift in shifts], np.int64)
        return self._usual.expected(rows, ends - _WEEK_S, ends)

    def _levels_of(self, shifts: list[Shift]) -> Floats:
        """The level at which each ran before it began, as a factor of the habit of now."""
        weeks = self._weeks(shifts)
        for shift, week in zip(shifts, weeks, strict=True):
            shift.week_expected = shift.week_expected or float(week)  # none: of before a restart
        before = np.array([shift.week_expected for shift in shifts])
        level = np.array([shift.level for shift in shifts])
        return np.asarray(level * np.clip(before / np.maximum(weeks, 1e-9), 0.1, 10.0))

    def follow(self, places: Ints, in_time: Floats, late: Floats, dispersion: Floats) -> Bools:
        """Take the blocks [places] of what is open; answers which are."""
        is_open = np.zeros(len(places), bool)
        for shift in self.open.values():
            if shift.place < 0 and (place := self._places.find(shift.group)) is not None:
                shift.place = place
        told = [shift for shift in self.open.values() if (places == shift.place).any()]
        for shift, level in zip(told, self._levels_of(told) if told else (), strict=True):
            at = int(np.flatnonzero(places == shift.place)[0])
            is_open[at] = True
            counted = in_time[at] + (late[at] if shift.kind is Kind.DROP else 0.0)
            self._follow_one(shift, float(counted), float(level), float(dispersion[at]))
        return is_open

    def _follow_one(self, shift: Shift, counted: float, level: float, dispersion: float) -> None:
        base = self._baseline
        expected = float(base.expected[shift.place]) * level
        worst = (
            np.clip(shift.ratio, 0.05, 0.8) if shift.kind is Kind.DROP else max(shift.ratio, 1.3)
        )
        one = (np.array([v]) for v in (counted, expected, worst, dispersion))
        shift.good_nats = max(0.0, shift.good_nats - float(step_nats(*one)[0]))
        shift.counted, shift.expected = shift.counted + counted, shift.expected + expected
        shift.hours += float(base.hours[shift.place])
        shift.blocks += 1
        tail = tail_nats(*(np.array([v]) for v in (shift.counted, shift.expected, shift.spread)))
        shift.nats = max(shift.nats, float(tail[0]))

    def end(self, now: float) -> None:
        """Close what is usual again, or has become usual, or is expected no more."""
        self.ended = {}
        for at, shift in list(self.open.items()):
            reason = ""
            if shift.good_nats >= _CLOSE_NATS and shift.blocks >= 2:
                reason = over(shift, now)
            elif now - shift.since >= _USUAL_AFTER_S:
                reason = usual_now(shift)
                self._accept(shift)
            elif self._excused(np.array([shift.row]))[0] >= _ALL:
                reason = "nothing is expected of it any more"
            if reason:
                del self.open[at]
                self.ended[shift_key(shift.kind, self._levels.groups[shift.group])] = reason
                if shift.place >= 0:
                    self._baseline.begin_level(np.array([shift.place]))

    def _accept(self, shift: Shift) -> None:
        """From now on this is usual, whether the habit has followed or not."""
        if shift.place >= 0:
            shift.level *= float(np.clip(shift.ratio, *_ACCEPTED))
            self._accepted[shift.place] = shift

    def accepted_level(self, size: int) -> Floats:
        """Factors [places] of the habit, where it has not followed yet."""
        factors = np.ones(size)
        if self._accepted:
            places, shifts = list(self._accepted), list(self._accepted.values())
            factors[places] = self._levels_of(shifts)
            for place in [p for p in places if _HAS_FOLLOWED[0] <= factors[p] <= _HAS_FOLLOWED[1]]:
                del self._accepted[place]
        return factors
