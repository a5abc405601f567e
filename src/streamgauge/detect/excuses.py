"""Of whom nothing is expected for now: flows that are retired or paused, outside of their hours, or
behind a router that has stopped.

A level is judged by those of its flows that are expected to speak: evidence of its quiet is cut by
the share of messages that the others usually bring. What is excused altogether is not judged; when
the greater part of a level comes back, its quiet counts anew from there.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown
from streamgauge.detect.calendars import parse_calendar
from streamgauge.detect.expectations import Expectations, Names, Reach
from streamgauge.detect.habit import Habit
from streamgauge.detect.levels import Levels
from streamgauge.detect.open_time import OpenTime
from streamgauge.detect.sentences import at_utc
from streamgauge.detect.silence import SilenceEvidence
from streamgauge.detect.sums import Sums
from streamgauge.model.expected import RETURNS_AFTER_S, ExpectedFlow

ALL = 0.98
"""A row of which this share is excused is not judged."""
_GREATER_PART = 0.5
_STALE_S = 7 * 86_400.0
"""Who has been quiet for so long brings nothing to a level any more."""


class Excuses:
    """What people said, by flow and row; anew when that, the flows, or the hour change."""

    def __init__(
        self, levels: Levels, sums: Sums, evidence: SilenceEvidence, open_time: OpenTime
    ) -> None:
        self._levels, self._sums = levels, sums
        self._evidence, self._open_time = evidence, open_time
        self.reach = Reach(levels)
        self.said = Expectations()
        self.version = 0
        """Grows with every change of who is excused."""
        self.share: Floats = np.zeros(64)
        """[rows]: which part of its messages is excused, 0 … 1."""
        self._flow_count = -1
        self._retired_at: Floats = np.zeros(0)
        self._paused_until: Floats = np.zeros(0)
        self._calendar: Ints = np.zeros(0, np.int64)
        self._opened_at: dict[int, float | None] = {}
        self._hidden: Bools = np.zeros(0, bool)
        self._why_hidden: Callable[[int], str] = lambda _: ""
        self._excused: Bools = np.zeros((2, 0), bool)
        """[2, flows]: retired, paused or hidden; outside of their hours."""
        self._weighed_hour = -1

    def replace(self, said: Expectations) -> None:
        """From now on this holds."""
        if said is not self.said:
            self.said, self._flow_count = said, -1

    def judge(
        self,
        watermark: float,
        now: float,
        habit: Habit,
        hidden: Bools,
        why_hidden: Callable[[int], str],
    ) -> None:
        """One turn.

        Args:
            watermark: up to which time is judged.
            now: epoch seconds.
            habit: tells what each flow usually brings.
            hidden: [flows] which of them cannot be seen.
            why_hidden: says so of a flow.
        """
        self._hidden, self._why_hidden = hidden, why_hidden
        if not self.said.flows and not hidden.any() and not self._excused.any():
            return
        self._read()
        excused = self._excuse(watermark, now)
        hour = int(watermark // 3600)
        if hour == self._weighed_hour and np.array_equal(excused, self._excused):
            return
        self._excused, self._weighed_hour = excused, hour
        self.version += 1
        self._weigh(watermark, now, habit)

    def share_of(self, rows: Ints) -> Floats:
        """[rows]: which part of their messages is excused."""
        self.share = grown(self.share, self._levels.row_count, 0.0)
        return self.share[rows]

    def is_retired(self, names: Names) -> bool:
        """Whether these names were retired, and did not come back since."""
        return any(
            one.retired_at is not None and not self._has_returned(one)
            for one in self.said.about(names)
        )

    def is_excused(self, flows: Ints) -> bool:
        """Whether nothing is expected of any of these flows."""
        known = flows[flows < self._excused.shape[1]]
        is_all = len(known) == len(flows) > 0
        return is_all and bool(self._excused[:, known].any(axis=0).all())

    def why(self, group: int, now: float) -> str:
        """Why a silence of this group is none any more; empty: it goes on."""
        names = self._levels.groups[group]
        if self.is_retired(names):
            return "it is retired"
        row = self._levels.primary(group)
        if self.share_of(np.array([row]))[0] < ALL:
            return ""
        count = len(self._paused_until)
        flows = np.flatnonzero((self._levels.flow_rows[:count] == row).any(axis=1))
        hidden = flows[flows < len(self._hidden)]
        hidden = hidden[self._hidden[hidden]]
        if 2 * len(hidden) > len(flows):
            return self._why_hidden(int(hidden[0]))
        until = self._paused_until[flows].max(initial=-np.inf)
        return f"it is paused until {at_utc(float(until), now)}" if until > now else ""

    def _has_returned(self, one: ExpectedFlow) -> bool:
        flows = self.reach.flows_of(one.scope)
        rows = self._levels.flow_rows[flows, 0]
        last = self._sums.last_s[rows].max(initial=-np.inf)
        return one.has_returned(float(last) if np.isfinite(last) else None)

    def _read(self) -> None:
        """What was said, by flow and row; the narrower scope wins, but for what is retired."""
        count = len(self._levels.flows)
        if count == self._flow_count:
            return
        self._flow_count = count
        self._retired_at = np.full(count, -np.inf)
        self._paused_until = np.full(count, -np.inf)
        self._calendar = np.full(count, -1, np.int64)
        for said in self.said.by_tenant.values():
            for one in said:
                self._read_one(one, self.reach.flows_of(one.scope))
        self._read_rows()
        self._weighed_hour = -1

    def _read_one(self, one: ExpectedFlow, flows: Ints) -> None:
        if one.retired_at is not None:
            self._retired_at[flows] = np.maximum(self._retired_at[flows], one.retired_at)
        if one.paused_until is not None:
            self._paused_until[flows] = one.paused_until
        if one.calendar:
            self._calendar[flows] = self._number(one.calendar)

    def _number(self, calendar: str) -> int:
        return self._open_time.number(parse_calendar(calendar))

    def _read_rows(self) -> None:
        """The calendar of each row whose group lies inside of a scope that has one."""
        calendars = np.full(self._levels.row_count, -1, np.int64)
        with_calendar = {
            tenant: found
            for tenant, said in self.said.by_tenant.items()
            if (found := [one for one in said if one.calendar])
        }
        if with_calendar:
            only = Expectations(tuple(one for said in with_calendar.values() for one in said))
            flows = [self.reach.flows_of(one.scope) for one in only.flows]
            rows = np.unique(self._levels.flow_rows[np.unique(np.concatenate(flows))])
            for group in np.unique(self._levels.row_group[rows[rows > 0]]).tolist():
                if said := only.about(self._levels.groups[group]):
                    calendars[self._levels.rows_of(group)] = self._number(said[-1].calendar or "")
        self._evidence.keep_hours(calendars)

    def _excuse(self, watermark: float, now: float) -> Bools:
        count = len(self._levels.flows)
        last = self._sums.last_s[self._levels.flow_rows[:count, 0]]
        excused = last <= self._retired_at + RETURNS_AFTER_S
        excused |= self._paused_until > now
        self._opened_at = {
            int(number): self._open_time.opened_at(int(number), watermark)
            for number in np.unique(self._calendar)
            if number >= 0
        }
        excused[: len(self._hidden)] |= self._hidden[:count]
        return np.stack([excused, self._is_closed() & ~excused])

    def _is_closed(self) -> Bools:
        closed = [number for number, at in self._opened_at.items() if at is None]
        return np.isin(self._calendar, closed)

    def _weigh(self, watermark: float, now: float, habit: Habit) -> None:
        """Shares by row, and from when on quiet counts."""
        count, size = len(self._levels.flows), self._levels.row_count
        rows = self._levels.flow_rows[:count]
        own = rows[:, 0]
        is_live = self._sums.last_s[own] > watermark - _STALE_S
        weights = habit.mean_rate[own] * is_live + 1e-9

        def summed(of_flow: Floats) -> Array:
            return np.bincount(rows.ravel(), np.repeat(of_flow, rows.shape[1]), size)

        total = np.maximum(summed(weights), 1e-12)
        before = self.share_of(np.arange(size)).copy()
        excused, closed = self._excused
        # Where a calendar is a row's own, its closed hours are no evidence anyway.
        has_hours = self._evidence.hours_of(np.arange(size)) >= 0
        share = (summed(weights * excused) + summed(weights * closed) * ~has_hours) / total
        self.share[:size] = share
        self.share[0] = 0.0
        resumed = (before >= _GREATER_PART) & (share < _GREATER_PART)
        self._evidence.count_from(np.flatnonzero(resumed), watermark)
        paused = np.where(self._paused_until <= now, self._paused_until, -np.inf)
        self._count_from(paused, rows, weights, total)
        self._count_from(self._opened(), rows, weights, np.where(has_hours, np.inf, total))

    def _opened(self) -> Floats:
        """When the hours [flows] that hold the watermark began; -inf where there are none."""
        at = np.full(len(self._calendar), -np.inf)
        for number, opened_at in self._opened_at.items():
            if opened_at is not None:
                at[self._calendar == number] = opened_at
        return at

    def _count_from(self, at: Floats, rows: Ints, weights: Floats, total: Floats) -> None:
        """The same after a restart: when pauses ended and hours began is known.

        Args:
            at: when the flows [flows] were expected again.
            rows: [flows, levels] in which they count.
            weights: [flows] what they bring.
            total: [rows] what all bring.
        """
        told = np.isfinite(at)
        if not told.any():
            return
        size = len(total)
        part = np.bincount(rows[told].ravel(), np.repeat(weights[told], rows.shape[1]), size)
        newest = np.full(size, -np.inf)
        for level in rows[told].T:
            np.maximum.at(newest, level, at[told])
        chosen = np.flatnonzero(part >= _GREATER_PART * total)
        self._evidence.count_from_at_least(chosen[chosen > 0], newest[chosen[chosen > 0]])
