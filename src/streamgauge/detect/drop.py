"""Whether a level sends fewer messages than usual, or more, and is not silent.

For every place (`places`), in blocks of ten expected messages or more (`baseline`):

1. Expected is the habit's rate over seen time, less what is excused, times the level lately.
2. A negative binomial CUSUM for half as much and for twice as much (`excursions`), with the hourly
   dispersion of the habit; late messages make up for a drop, but are no surge.
3. The evidence is a bound on the tail of all that was counted since the CUSUM left zero, with the
   relative variance dispersion / hours + the mood of days (`moods`), and no surer than the days
   that taught the mood. It is told above the bar of the budget, where the ratio is at most 0.7 (of
   an integration or the platform 0.8), or at least 2.
4. It closes when the ratio the other way round passes 5 nats in two blocks or more, or after two
   days: then it is usual.

Expected, and the habit by which it is, stay as they were when it began, until it is over.

Source: negative binomial CUSUM, Höhle & Paul, Computational Statistics & Data Analysis 52 (2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from streamgauge.detect.anchors import Anchors
from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.baseline import Baseline
from streamgauge.detect.drop_fold import Explained, ShiftFold
from streamgauge.detect.excursions import Excursions
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.moods import PART_QUARTERS, Moods
from streamgauge.detect.places import Places
from streamgauge.detect.quarters import HELD, QUARTER_S, Quarters, totals
from streamgauge.detect.restored import restored_group
from streamgauge.detect.shift import Shift
from streamgauge.detect.shifts import OpenShifts
from streamgauge.detect.watcher import Turn, Usual
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

Bar = Callable[[Ints, Floats], Floats]
"""Evidence [rows] that a finding takes, from the rows and their chances a week."""
BAR_LOWEST = 8.0
_SETTLE_S = 180.0
"""After its end a quarter waits so long for its last lines."""
_LEAST_LEARNED_H = 7 * 24.0
_TWICE_LEARNED_H, _OLD_H = 14 * 24.0, 21 * 24.0
_ALIKE = (5, 6, 0)
"""Tuesday to Thursday, of weeks that begin on a Thursday: one is known from another."""
_KINDS = {Kind.DROP: 0.6, Kind.SURGE: 1.8}
"""The ratios that the CUSUMs look for."""
_FALLEN, _FALLEN_WIDE, _RISEN = 0.7, 0.8, 2.0
_SILENT_NATS = 7.0
_WORTH_NATS, _NEARLY_NATS = 2.0, 8.0
_WEEK_S = 7 * 86_400.0
_EVEN = 0.8
_LEAST_HOURS = 0.4
"""So many of its usual hours are missing, or too much: less is no harm, and often the habit's error
in quiet hours."""


def nothing_excused(rows: Ints) -> Floats:
    """The share [rows] of messages that nobody expects: none."""
    return np.zeros(len(rows))


class Drops:
    """The places whose traffic left its habit; a `watcher.Watcher`."""

    def __init__(
        self,
        levels: Levels,
        usual: Usual,
        bar: Bar,
        excused: Callable[[Ints], Floats] = nothing_excused,
        explained: Callable[[], Iterable[Explained]] = tuple,
    ) -> None:
        self._levels, self._usual, self._bar, self._excused = levels, usual, bar, excused
        self._quarters, self._places = Quarters(), Places(levels, usual)
        self._baseline, self._moods = Baseline(), Moods()
        self._away = {kind: Excursions(ratio) for kind, ratio in _KINDS.items()}
        self._shifts = OpenShifts(levels, usual, self._places, self._baseline, excused)
        self._anchors = Anchors(usual)
        self._fold = ShiftFold(levels, self._is_suspicious, self._per_hour, explained)
        self._ended: dict[str, str] = {}

    @property
    def ended(self) -> Mapping[str, str]:
        """Why each finding that ended at the last turn did, by key."""
        return self._ended

    def learn(self, hours: Arrivals) -> None:
        """Take history of which the single minutes are not known any more."""
        self._quarters.learn(hours)

    def observe(self, arrivals: Arrivals) -> None:
        """Take what was inserted."""
        self._quarters.observe(arrivals)

    def restore(self, since_by_key: Mapping[str, float]) -> None:
        """Hold open what was open before a restart."""
        for key, since in since_by_key.items():
            kind = Kind(key.partition("/")[0])
            if kind in _KINDS and (group := restored_group(key, self._levels)) is not None:
                self._shifts.restore(kind, group, since)
        self._fold.restore(since_by_key)

    def judge(self, turn: Turn) -> list[Finding]:
        """All drops and surges that hold now."""
        self._ended = {}
        last = int((turn.watermark - _SETTLE_S) // QUARTER_S) - 1
        closed = self._quarters.closed
        if closed is None:
            closed = last - HELD + 1
            self._begin(last)
        elif closed > last + 2 * HELD or closed < last - HELD:
            closed = last - HELD if closed < last else last  # the clock jumped, or a long gap
        for quarter in range(closed + 1, last + 1):
            self._close(quarter, turn)
        if not turn.is_blind:
            self._shifts.end(turn.now)
            self._ended = dict(self._shifts.ended)
        found = self._fold.findings(self._shifts.open, turn)
        self._ended |= self._fold.ended
        return found

    def _begin(self, quarter: int) -> None:
        """The first judgement: what history tells of places and their moods."""
        self._places.look(quarter, at_all=True)
        self._make_room()
        first, table = totals(self._quarters.take_parts(), self._levels.flow_count)
        flows = np.arange(table.shape[1])
        parts = [self._places.sums(flows, part)[0] for part in table]
        if parts:
            dispersion = self._usual.dispersion(self._places.rows)
            self._moods.take_history(np.stack(parts), first, dispersion)

    def _make_room(self) -> None:
        size = len(self._places)
        self._baseline.make_room(size)
        self._moods.make_room(size)
        for away in self._away.values():
            away.make_room(size)

    def _close(self, quarter: int, turn: Turn) -> None:
        """Weigh a quarter of an hour of all places."""
        flows, in_time, late = self._quarters.close(quarter)
        self._places.look(quarter, at_all=False)
        self._make_room()
        if not len(self._places):
            return
        in_time, late = self._places.sums(flows, in_time, late)
        rows = self._places.rows
        start = np.full(len(rows), quarter * QUARTER_S)
        expected = self._usual.expected(rows, start, (quarter + 1) * QUARTER_S)
        every = np.arange(len(rows))
        is_away = np.any([a.is_away(every, _WORTH_NATS) for a in self._away.values()], axis=0)
        expected *= np.clip(1.0 - self._excused(rows), 0.0, 1.0)
        expected *= self._shifts.accepted_level(len(rows))
        expected *= self._anchors.factors(is_away, rows, quarter)
        if quarter % PART_QUARTERS == 0:
            self._end_part(quarter)
        is_even = self._is_even(rows, quarter)
        over_ = self._baseline.add(in_time, late, expected, is_even, quarter)
        if len(over_):
            self._weigh(over_, quarter, turn)

    def _is_even(self, rows: Ints, quarter: int) -> Bools:
        """Whether the habit of this hour [rows] is like that of the hours around it."""
        start = (quarter // 4 * 3600.0) - _WEEK_S  # a week ago it was seen on both sides
        before, here, after = (
            self._usual.expected(rows, np.full(len(rows), at), at + 3600.0)
            for at in (start - 3600.0, start, start + 3600.0)
        )
        lowest, highest = np.minimum(before, after), np.maximum(before, after)
        return np.asarray((lowest >= _EVEN * here) & (highest * _EVEN <= here) & (here > 0.0))

    def _end_part(self, quarter: int) -> None:
        places, rows = np.arange(len(self._places)), self._places.rows
        is_open = np.isin(places, [shift.place for shift in self._shifts.open.values()])
        told = places[~is_open & (self._usual.hours_learned(rows) >= _LEAST_LEARNED_H)]
        dispersion = self._baseline.dispersion(told, self._usual.dispersion(rows[told]))
        self._baseline.end_part(quarter, told, dispersion, self._moods)
        self._moods.learn_fleet()

    def _weigh(self, places: Ints, quarter: int, turn: Turn) -> None:
        """A block of these places is over."""
        rows, base = self._places.rows[places], self._baseline
        in_time, late = base.in_time[places].astype(float), base.late[places].astype(float)
        hours = base.hours[places].astype(float)
        hourly = base.dispersion(places, np.clip(self._usual.dispersion(rows), 1e-4, 20.0))
        block = self._relative(hourly, places, base.expected[places], hours)
        level = base.level(places)
        expected = base.expected[places] * level
        is_open = self._shifts.follow(places, in_time, late, block)
        learned_h = self._usual.hours_learned(rows)
        fit = ~is_open & _is_known(learned_h, quarter)
        for away in self._away.values():
            away.forget(places[~fit])
        since = base.since[places]
        is_usual = ~is_open
        for kind, away in self._away.items():
            counted = in_time + late if kind is Kind.DROP else in_time
            at = np.flatnonzero(fit)
            away.add(places[at], counted[at], expected[at], hours[at], since[at], block[at])
            is_usual &= ~away.is_away(places, _WORTH_NATS)
            self._open(
                kind, places[at], counted[at], level[at], hourly[at], learned_h[at], quarter, turn
            )
            is_open |= away.is_away(places, _NEARLY_NATS)
        is_silent = _is_silent(in_time + late, expected, block)
        is_usual, is_open = is_usual & ~is_silent, is_open | is_silent
        base.settle(places, is_usual, is_open, hourly, block, self._moods, quarter)

    def _open(
        self,
        kind: Kind,
        places: Ints,
        last_counted: Floats,
        level: Floats,
        hourly: Floats,
        learned_h: Floats,
        quarter: int,
        turn: Turn,
    ) -> None:
        """Open what is proven; all arrays are [places]."""
        away = self._away[kind]
        is_worth = away.is_away(places, _WORTH_NATS) & self._is_far(kind, places)
        is_worth &= (last_counted > 0.0) & (away.hours[places] >= 0.5)
        at = np.flatnonzero(is_worth)
        if not len(at):
            return
        spread = self._spread(away, places[at], hourly[at], quarter)
        nats = away.evidence(places[at], spread)
        rows = self._places.rows[places[at]]
        a_day = np.clip(24.0 * self._places.per_hour[places[at]] / 10.0, 1.0, 24.0)
        bars = self._bar(rows, 7.0 * a_day)
        for number in np.flatnonzero(nats >= bars):
            place = int(places[at[number]])
            since = float(away.since[place]) * QUARTER_S
            group, row = int(self._places.groups[place]), int(rows[number])
            shift = Shift(
                kind, place, group, row, since, turn.now, float(level[at[number]]), since, 0.0,
                float(away.counted[place]), float(away.expected[place]), float(away.hours[place]),
                float(nats[number]), float(bars[number]), float(spread[number]),
                is_old=bool(learned_h[at[number]] >= _OLD_H),
            )  # fmt: skip
            self._shifts.add(shift)
            for other in self._away.values():
                other.forget(np.array([place]))

    def _spread(self, away: Excursions, places: Ints, hourly: Floats, quarter: int) -> Floats:
        """Relative variance [places] of what an excursion counts, less that of chance."""
        mood = self._moods.bound(places, away.since[places], quarter)
        chance = self._relative(hourly, places, away.expected[places], away.hours[places])
        return chance + mood + self._baseline.doubt[places]

    def _relative(self, hourly: Floats, places: Ints, expected: Floats, hours: Floats) -> Floats:
        """Relative variance [places] of a stretch's count, by the dispersion of an hour.

        In hours that are far quieter than most the habit errs by more than their own size: there it
        is that of a usual hour.
        """
        usual = self._places.per_hour[places] * hours
        return np.asarray(
            hourly / np.maximum(hours, 0.25) * np.maximum(usual / np.maximum(expected, 1e-9), 1.0)
        )

    def _is_far(self, kind: Kind, places: Ints) -> Bools:
        away = self._away[kind]
        ratio = away.ratio(places)
        differs = np.abs(away.expected[places] - away.counted[places])
        is_worth = differs >= _LEAST_HOURS * self._places.per_hour[places]
        if kind is Kind.SURGE:
            return np.asarray(is_worth & (ratio >= _RISEN))
        is_wide = self._places.levels[places] >= Level.INTEGRATION
        return np.asarray(is_worth & (ratio <= np.where(is_wide, _FALLEN_WIDE, _FALLEN)))

    def _per_hour(self, group: int) -> float:
        """Messages that a group usually has an hour; 0: it is not judged."""
        place = self._places.find(group)
        return 0.0 if place is None else float(self._places.per_hour[place])

    def _is_suspicious(self, kind: Kind, groups: list[int]) -> list[int]:
        """Those of `groups` that look like it, though it is not proven."""
        away, found = self._away[kind], []
        for group in groups:
            place = self._places.find(group)
            if place is None or place >= len(away.nats):
                continue
            at = np.array([place])
            if away.is_away(at, _WORTH_NATS)[0] and self._is_far(kind, at)[0]:
                found.append(group)
        return found


def _is_silent(counted: Floats, expected: Floats, dispersion: Floats) -> Bools:
    """Which blocks are empty though no chance makes them so: a silence or a holiday, no level."""
    nats = np.log1p(dispersion * expected) / np.maximum(dispersion, 1e-9)
    return np.asarray((counted == 0.0) & (nats > _SILENT_NATS))


def _is_known(learned_h: Floats, quarter: int) -> Bools:
    """Whether the habit of this day of the week [rows] is no guess from a single one."""
    least = _LEAST_LEARNED_H if quarter // 96 % 7 in _ALIKE else _TWICE_LEARNED_H
    return np.asarray(learned_h >= least)
