"""Fits habits anew from the hours that are kept, some customers at a time.

A part is all flows of some customers, so that all rows of their levels are summed in it, and what
borrows a week finds it there. Memory and time of a step are bounded by the size of a part, not by
the size of the fleet. What all customers count in, integrations and the platform, has its hours at
hand (`wide`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, placed
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.leaf_fit import LeafHours, SeenHours, fit_leaves
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.own_fit import OwnFit, fit_own, share_week
from streamgauge.detect.past import FlowHours
from streamgauge.detect.shape import WEEK, WEEKS
from streamgauge.detect.spread import UsualSpread
from streamgauge.detect.stamps import distinct
from streamgauge.detect.sums import HOURS_KEPT, Sums

_FLOWS = 512
"""Of a part; more if they are one customer's."""
_STEP_FLOWS, _LATER_FLOWS, _LARGE_FLOWS = 4096, 1024, 65_536
"""Of a step; of a large fleet that was fitted before, fewer: what it knows is good meanwhile."""
_ROWS = 1024
"""Fitted at once."""
_MOST_AN_HOUR = 1e13
"""Beyond it a count is a mistake, and its square no number of 32 bits."""
_DENSE = 3
"""Active minutes of an hour from which on what follows the last message may be a silence."""


@dataclass(frozen=True, slots=True)
class Span:
    """The hours that are learned from."""

    first: int
    """Hours since the epoch, of a whole week."""
    last: int
    hours: int
    """How many from the first on, whole weeks."""
    seen: SeenHours


class Refit:
    """Fits everything, step by step, or some customers at once."""

    def __init__(self, levels: Levels, sums: Sums, seen: SeenTime, habit: Habit) -> None:
        self._levels, self._sums, self._seen, self._habit = levels, sums, seen, habit
        self._fitted: list[Ints] = []
        self._waiting: Iterator[tuple[FlowHours, Ints]] | None = None
        self._was_fitted = False
        self._span: Span | None = None

    @property
    def is_busy(self) -> bool:
        """Whether steps are left."""
        return self._waiting is not None

    def begin(self, watermark: float) -> None:
        """Start to fit all rows; those that all customers count in are fitted at once."""
        self._fit_all(self._begin(watermark))

    def _fit_all(self, span: Span) -> None:
        self._fit_wide(self._sums.wide.rows, span)
        hours = self._sums.past.hours(None, span.first, span.last)
        self._waiting = (part for chunk in hours for part in self._parts(chunk))

    def step(self) -> None:
        """Fit some parts more."""
        is_later = self._was_fitted and self._levels.flow_count > _LARGE_FLOWS
        done, flows = 0, _LATER_FLOWS if is_later else _STEP_FLOWS
        while self._waiting is not None and self._span is not None and done < flows:
            part = next(self._waiting, None)
            if part is None:
                self._end(self._span)
                return
            self._fit_part(*part, self._span)
            done += len(part[1])

    def _end(self, span: Span) -> None:
        """All is fitted; after a start once more, by what is usual in the fleet."""
        self._waiting = None
        self._habit.learn_usual()
        is_first, self._was_fitted = not self._was_fitted, True
        if is_first and self._habit.usual != UsualSpread():
            self._fit_all(span)

    def some(self, flows: Ints, watermark: float) -> None:
        """Fit the customers of these flows, and what all count in, at once."""
        span = self._begin(watermark)
        rows = np.unique(self._levels.flow_rows[flows])
        self._fit_wide(np.intersect1d(self._sums.wide.rows, rows), span)
        tenants = self._levels.tenants_of_flows(flows)
        flows = self._levels.flows_of_tenants(np.unique(tenants))
        for chunk in self._sums.past.hours(flows, span.first, span.last):
            for part in self._parts(chunk):
                self._fit_part(*part, span)

    def take_fitted(self) -> Ints:
        """The rows that were fitted since the last call."""
        rows, self._fitted = self._fitted, []
        return np.concatenate([np.zeros(0, np.int32), *rows])

    def _begin(self, watermark: float) -> Span:
        self._habit.make_room(self._levels.row_count)
        last = int(watermark // 3600)
        first = (last // WEEK - WEEKS + 1) * WEEK
        known = [hour for hour in (*self._sums.past.known_hours()[:1], self._first_seen()) if hour]
        first = max(first, min(known, default=first) // WEEK * WEEK)
        count = (last // WEEK + 1) * WEEK - first
        hours = first + np.arange(count)
        share = self._seen.hours(first, count)
        share[(hours > last) | (hours <= last - HOURS_KEPT)] = 0.0
        self._span = span = Span(first, last, count, SeenHours.of(share))
        return span

    def _first_seen(self) -> int:
        return (self._seen.first_minute() or 0) // 60

    def _parts(self, hours: FlowHours) -> Iterator[tuple[FlowHours, Ints]]:
        """The hours of some customers at a time, with their flows."""
        if not len(hours):
            return
        flows = distinct(hours.flow, self._levels.flow_count)
        tenants = self._levels.tenants_of_flows(flows)
        ordered = np.sort(tenants)
        part = np.searchsorted(ordered, tenants) // _FLOWS
        if part.max() == 0:
            yield hours, flows
            return
        part_of: Array = np.zeros(self._levels.flow_count, np.uint16)
        numbers = np.unique(part, return_inverse=True)[1]
        part_of[flows] = numbers
        of_hours = part_of[hours.flow]
        order = np.argsort(of_hours, kind="stable")
        ends = np.cumsum(np.bincount(of_hours, minlength=int(numbers.max()) + 1))
        for number, end in enumerate(ends.tolist()):
            start = int(ends[number - 1]) if number else 0
            yield hours.part(order[start:end]), flows[numbers == number]

    def _fit_part(self, hours: FlowHours, flows: Ints, span: Span) -> None:
        """Fit all rows of some customers."""
        levels, sums = self._levels, self._sums
        at = hours.hour - span.first
        good = (at >= 0) & (hours.hour <= span.last) & (at < span.hours)
        if not good.all():
            hours = hours.part(good)
        rows = np.unique(levels.flow_rows[flows])
        rows = rows[(rows > 0) & (sums.last_s[rows] // 3600 > sums.first_hour[rows])]
        level = levels.group_level[levels.row_group[rows]]
        own = rows[(level == Level.SOURCE) | (level == Level.TENANT)]
        leaves = rows[(level == Level.FLOW) | (level == Level.TENANT_INTEGRATION)]
        if not len(own):
            return
        self._fitted.append(rows)
        fit, column = self._fit_own_rows(own, hours, span)
        above = column[levels.row_above[leaves]] - 1
        leaves, above = leaves[above >= 0], above[above >= 0]
        for start in range(0, len(leaves), _ROWS):
            some = slice(start, start + _ROWS)
            self._fit_leaves(leaves[some], above[some], fit, hours, span)

    def _fit_own_rows(self, own: Ints, hours: FlowHours, span: Span) -> tuple[OwnFit, Ints]:
        """Also tells one more than the column [all rows] of each that was fitted, 0 elsewhere."""
        counts, minutes = self._grids(own, hours, span)
        same = self._same_as_above(own, counts)
        kept = np.flatnonzero(same < 0)
        column = placed(own[kept], self._levels.row_count)
        column[own[same >= 0]] = column[own[same[same >= 0]]]
        fits = [
            self._fit_own(own[some], counts[:, some], minutes[:, some], span)
            for some in np.array_split(kept, -(-len(kept) // _ROWS))
        ]
        share_week(self._habit, own[same >= 0], own[same[same >= 0]])
        return _joined(fits), column

    def _fit_own(self, rows: Ints, counts: Floats, active: Floats, span: Span) -> OwnFit:
        exposure = self._exposure(rows, active, span)
        return fit_own(self._habit, rows, np.clip(counts, 0.0, _MOST_AN_HOUR), active, exposure)

    def _same_as_above(self, own: Ints, counts: Floats) -> Ints:
        """The place [own] of the tenant's row that counts just what its only source's does."""
        place = placed(own, self._levels.row_count)
        above = place[self._levels.row_above[own]].astype(np.int64) - 1
        is_source = above >= 0
        children = np.bincount(above[is_source], minlength=len(own))
        total = counts.sum(axis=0)
        is_same = is_source & (children[above] == 1) & (total == total[above])
        return np.where(is_same, above, -1)

    def _fit_wide(self, rows: Ints, span: Span) -> None:
        sums = self._sums
        rows = rows[sums.last_s[rows] // 3600 > sums.first_hour[rows]]
        self._fitted.append(rows)
        counts, active = sums.wide.grids(rows, span.first, span.hours)
        counts[span.last - span.first + 1 :] = active[span.last - span.first + 1 :] = 0.0
        for start in range(0, len(rows), _ROWS):
            some = slice(start, start + _ROWS)
            self._fit_own(rows[some], counts[:, some], active[:, some], span)

    def _fit_leaves(
        self, rows: Ints, above: Ints, fit: OwnFit, hours: FlowHours, span: Span
    ) -> None:
        counts, active = self._cells(rows, hours, span, 1, span.hours)
        there = np.flatnonzero(active)
        leaf, hour = np.divmod(there, span.hours)
        count = np.clip(counts[there], 0.0, _MOST_AN_HOUR)
        has_any = np.bincount(leaf, minlength=len(rows)) > 0
        if not has_any.all():
            rows, above = rows[has_any], above[has_any]
            leaf = (np.cumsum(has_any) - 1)[leaf]
        if len(rows):
            here = LeafHours(leaf, hour, count, active[there])
            fit_leaves(
                self._habit, rows, fit, above, here, span.seen, self._spoken(rows, here, span)
            )

    def _spoken(self, rows: Ints, hours: LeafHours, span: Span) -> tuple[Ints, Ints, Floats]:
        """See `fit_leaves`."""
        sums = self._sums
        first = np.clip(sums.first_hour[rows] - span.first, 0, span.hours - 1).astype(np.int64)
        last_hour = sums.last_s[rows] // 3600
        last = np.clip(last_hour - span.first, 0, span.last - span.first).astype(np.int64)
        is_last = hours.hour == last[hours.leaf]
        active = np.bincount(hours.leaf[is_last], hours.active[is_last], len(rows))
        until = np.minimum((sums.last_s[rows] + 60.0 - 3600.0 * last_hour) / 3600.0, 1.0)
        is_cut = (active >= _DENSE) & (last_hour == last + span.first)
        return first, np.maximum(last, first), np.where(is_cut, until, 1.0)

    def _grids(self, rows: Ints, hours: FlowHours, span: Span) -> tuple[Floats, Floats]:
        """Messages and active minutes, float32 [hours, rows]."""
        counts, active = self._cells(rows, hours, span, len(rows), 1)
        return counts.reshape(span.hours, -1), active.reshape(span.hours, -1)

    def _cells(
        self, rows: Ints, hours: FlowHours, span: Span, hour_step: int, row_step: int
    ) -> tuple[Floats, Floats]:
        """Messages and active minutes, float32 [hours x rows], in the order that the steps say."""
        counts: Floats = np.zeros(span.hours * len(rows), np.float32)
        minutes: Array = np.zeros(span.hours * len(rows), np.uint64)
        for at, row in _places(rows, self._levels, hours.flow):
            cell = (hours.hour[at] - span.first).astype(np.int64) * hour_step + row * row_step
            np.add.at(counts, cell, hours.count[at])
            np.bitwise_or.at(minutes, cell, hours.minutes[at])
        return counts, np.bitwise_count(minutes).astype(np.float32)

    def _exposure(self, rows: Ints, active: Floats, span: Span) -> Floats:
        """Seen hours, float32 [hours, rows], of a row's own time: 0 … 1 each.

        What follows the last message may be the beginning of a silence, which must not become the
        habit. A sender that reports once or twice an hour has spoken for all of it.
        """
        hours = span.first + np.arange(span.hours)
        last = self._sums.last_s[rows] // 3600
        own = (hours[:, None] >= self._sums.first_hour[rows]) & (hours[:, None] <= last)
        exposure = (span.seen.share[:, None] * own).astype(np.float32)
        at = np.flatnonzero((last >= span.first) & (last <= span.last))
        place = (last[at] - span.first).astype(np.int64)
        until = np.minimum((self._sums.last_s[rows[at]] + 60.0 - 3600.0 * last[at]) / 3600.0, 1.0)
        is_dense = active[place, at] >= _DENSE
        at, place, until = at[is_dense], place[is_dense], until[is_dense]
        exposure[place, at] = np.minimum(exposure[place, at], until)
        return exposure


def _places(rows: Ints, levels: Levels, flow: Ints) -> Iterator[tuple[Bools | Ints, Ints]]:
    """For each level, which hours count in one of `rows`, and the place of that row."""
    place = placed(rows, levels.row_count)
    for column in levels.flow_rows[flow].T:
        row = place[column]
        at = np.flatnonzero(row)
        if len(at):
            yield at, row[at].astype(np.int64) - 1


def _joined(fits: list[OwnFit]) -> OwnFit:
    return OwnFit(
        np.concatenate([fit.slots for fit in fits]),
        np.concatenate([fit.rate for fit in fits], axis=1),
        np.concatenate([fit.leverage for fit in fits], axis=1),
        np.concatenate([fit.drift for fit in fits]),
        np.concatenate([fit.total for fit in fits]),
    )
