"""Joins the parts: what was inserted goes in, what is wrong now comes out.

A turn (`evaluate`) is: the watermark → are we blind → refresh habits that are due → each detector
→ fold by cause → tell what holds, and once what ended. Nothing here does I/O or asks the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.arrivals import Locator
from streamgauge.detect.backlog import Backlogs
from streamgauge.detect.blind import Blindness, blind_finding
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.capacity import Capacities
from streamgauge.detect.day_off import DayOff
from streamgauge.detect.declared import Declarations
from streamgauge.detect.drop import BAR_LOWEST, Drops
from streamgauge.detect.drop_fold import Explained
from streamgauge.detect.errors import Errors
from streamgauge.detect.excuses import Excuses
from streamgauge.detect.expectations import Expectations
from streamgauge.detect.explain import Parts, explain
from streamgauge.detect.fold import Fold
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.latency import Latencies
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.loss import Loss
from streamgauge.detect.open_time import OpenTime
from streamgauge.detect.past import KeptHours, Past
from streamgauge.detect.refit import Refit
from streamgauge.detect.restored import is_ours, level_of, remembered, silent_group
from streamgauge.detect.routers import Routers
from streamgauge.detect.shape import WEEK
from streamgauge.detect.silence import SilenceEvidence
from streamgauge.detect.silence_words import key_of
from streamgauge.detect.silences import Silences
from streamgauge.detect.sums import Sums
from streamgauge.detect.told import Told
from streamgauge.detect.usual import Expected, HabitUsual
from streamgauge.detect.watcher import Turn, Watcher
from streamgauge.model.explanation import Explanation
from streamgauge.model.feed import Delta, History
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.router import RouterStatus
from streamgauge.model.views import CapacityFigures

_REFRESH_LATE_S = 20.0
"""Backfilled hours enter the habit this soon."""


class Detector:
    """All flows and levels, their habits, and what is wrong with them."""

    def __init__(
        self,
        expectations: Expectations | None = None,
        budget: FalsePages | None = None,
        make_past: Callable[[], Past] = KeptHours,
    ) -> None:
        """Nothing is known yet.

        Args:
            expectations: what people say of flows.
            budget: of false pages.
            make_past: makes what keeps the hours that habits are fitted from.
        """
        self._make_past = make_past
        self._expectations = expectations or Expectations()
        self._budget = budget or FalsePages()
        self._told = Told()
        self._reset()

    def learn(self, history: History) -> None:
        """Forget everything but what was told, and build it again from rollups."""
        self._reset()
        hours = self._locator.hours(history.hours)
        self._sums.add_hours(hours)
        for watcher in self._watchers:
            watcher.learn(hours)
        self._seen.learn(np.asarray(history.seen_minutes))
        self.observe(history.recent)
        if history.latencies is not None:
            self._latencies.learn_hours(history.latencies)
        if history.routers is not None:
            self._routers.table.learn(history.routers)
        self._has_started = bool(len(self._sums.take_arrived()))
        self._has_arrived = False

    def expect(self, expectations: Expectations) -> None:
        """From the next turn on this is what people say of flows."""
        self._expectations = expectations
        self._excuses.replace(expectations)

    def routers(self) -> list[RouterStatus]:
        """Every router that is known, the worst first."""
        return self._routers.statuses()

    @property
    def unwatched_flow_count(self) -> int:
        """Flows beyond what is watched one by one: they count in their customer as a whole."""
        return self._levels.unwatched_count

    def observe(self, delta: Delta) -> None:
        """Add what was inserted; the order and the size of parts do not matter."""
        arrivals = self._locator.minutes(delta.minutes)
        late = self._sums.add_minutes(arrivals)
        self._day_off.observe(arrivals)
        for watcher in self._watchers:
            watcher.observe(arrivals)
        if delta.latencies is not None:
            self._latencies.observe_minutes(delta.latencies)
        if delta.routers is not None and delta.routers.num_rows:
            self._routers.table.observe(delta.routers)
        self._has_arrived |= self._seen.observe(delta)
        self._backlogs.observe(delta.queues)
        if len(late):
            self._late.append(late)

    def evaluate(self, now: float) -> list[Finding]:
        """All findings that hold at `now`, and once each that ended, with `over_reason`."""
        watermark = self._seen.watermark(now)
        if not np.isfinite(watermark):
            found = self._declared.findings(watermark, now, [], is_blind=False)
            return self._told.turn(found, {})
        self._habit.make_room(self._levels.row_count)
        self._refresh(watermark, now)
        self._restore()
        self._hear(now)
        is_blind = self._blindness.judge(now, self._seen, self._habit, self._platform_row())
        self._routers.judge(watermark, now, is_blind)
        self._excuses.judge(watermark, now, self._habit, self._routers.hidden, self._routers.why)
        self._day_off.judge(watermark)
        if self._is_as_before(watermark, now, is_blind):
            return []
        self._silences.judge(watermark, now, is_blind, self._routers.held)
        found = self._fold.findings(self._silences.open, watermark, now)
        found += self._routers.findings(now) + self._day_off.findings(now)
        reasons: dict[str, str] = {
            key_of(self._levels.groups[group]): why for group, why in self._silences.ended.items()
        }
        reasons |= self._routers.ended
        found += self._errors.judge(watermark, now, is_blind)
        found += self._backlogs.judge(watermark, now, is_blind)
        reasons |= self._errors.ended | self._backlogs.ended
        turn = Turn(watermark, now, is_blind)
        for watcher in self._watchers:
            found += watcher.judge(turn)
            reasons |= watcher.ended
        if self._blindness.since is not None:
            tenants = len(self._levels.of_level(Level.TENANT))
            found.append(blind_finding(self._blindness.since, now, tenants))
        found += self._declared.findings(watermark, now, found, is_blind=self.is_blind)
        reasons = self._declared.ended | reasons
        reasons[_BLIND_KEY] = self._blindness.over_reason(now)
        return self._told.turn(found, reasons)

    def restore(self, open_findings: Iterable[tuple[str, float]]) -> None:
        """Hold open what was open before a restart, until its own end is seen.

        Args:
            open_findings: `Finding.key` and `since` of each open incident; call after `learn`.
        """
        # Rules and what came in from outside are told by others.
        self._to_restore.update((key, since) for key, since in open_findings if is_ours(key))

    def watermark(self, now: float) -> float | None:
        """Epoch seconds of the newest line not after `now`; None before the first."""
        found = self._seen.watermark(now)
        return found if np.isfinite(found) else None

    @property
    def is_fitting(self) -> bool:
        """Whether habits are being fitted anew, some at each turn."""
        return self._refit.is_busy

    @property
    def is_blind(self) -> bool:
        """Whether the last turn found that we do not see."""
        return self._blindness.since is not None

    def capacity(self, scope: Scope) -> CapacityFigures | None:
        """What the platform, or an integration, can take; None: not known.

        Of the last turn; may be asked at any time, from any thread.
        """
        room = self._capacities.figures.get(scope)
        if room is None:
            return None
        return CapacityFigures(room.per_s, room.utilization_ratio, room.reached_at)

    def expectation(self, scope: Scope, now: float) -> Expected | None:
        """What is usual for a customer, its source or integration, an integration, or all.

        Returns: None for a scope never seen or without a level of its own.
        """
        level = level_of(scope)
        group = None if level is None else self._levels.find(Names(level, *scope))
        if group is None:
            return None
        self._habit.make_room(self._levels.row_count)
        row = self._levels.primary(group)
        last = float(self._sums.last_s[row])
        return Expected(
            float(self._evidence.interval_s(np.array([row]))[0]),
            float(self._habit.rate(np.array([row]), int(now // 3600) % WEEK)[0]),
            last if np.isfinite(last) else None,
        )

    def explain(self, scope: Scope, now: float, found: Sequence[Finding]) -> Explanation:
        """Why a scope is, or is not, told by the turn at `now` that answered `found`.

        It cannot go on from here: minutes to come are counted as seen.
        """
        parts = Parts(
            self._levels,
            self._sums,
            self._seen,
            self._habit,
            self._evidence,
            self._excuses,
            self._silences,
            self._errors,
            self._budget,
        )
        return explain(parts, self._group_of(scope), scope, now, found)

    def _group_of(self, scope: Scope) -> int | None:
        """The narrowest level that is judged and holds a scope; of a flow, its last stage."""
        level = level_of(scope)
        if level is not None:
            return self._levels.find(Names(level, *scope))
        flows = self._levels.flows_within(scope)
        if not len(flows):
            return None
        rows = self._levels.flow_rows[flows, 0]
        return int(self._levels.row_group[rows[int(self._sums.last_s[rows].argmax())]])

    def _reset(self) -> None:
        self._levels = Levels()
        self._locator = Locator(self._levels)
        self._sums = Sums(self._levels, self._make_past())
        self._seen = SeenTime()
        self._habit = Habit()
        self._refit = Refit(self._levels, self._sums, self._seen, self._habit)
        open_time = OpenTime(self._seen)
        self._evidence = SilenceEvidence(
            self._habit,
            self._sums,
            self._seen,
            open_time,
            self._budget,
            lambda: self._levels.flow_count,
        )
        self._excuses = Excuses(self._levels, self._sums, self._evidence, open_time)
        self._excuses.replace(self._expectations)
        self._day_off = DayOff(self._levels, self._habit, self._seen, self._evidence)
        self._silences = Silences(
            self._levels, self._sums, self._habit, self._evidence, self._excuses, self._day_off
        )
        self._routers = Routers(
            self._levels,
            self._sums,
            self._habit,
            self._evidence,
            self._budget,
        )
        self._fold = Fold(self._levels, self._sums, lambda: self._habit.mean_rate)
        self._errors = Errors(self._levels, self._sums, self._excuses, self._budget)
        self._backlogs = Backlogs()
        self._blindness = Blindness()
        self._declared = Declarations(
            self._levels, self._sums, self._excuses, open_time, self._silences.being_loaded
        )
        usual = HabitUsual(self._habit, self._seen)
        self._latencies = Latencies(self._levels, self._bar)
        self._watchers: list[Watcher] = [
            Drops(
                self._levels,
                usual,
                self._bar,
                self._excused_share,
                self._explained,
            ),
            self._latencies,
        ]
        self._capacities = Capacities(self._levels, self._backlogs.capacities)
        self._watchers.append(self._capacities)
        self._watchers.append(Loss(self._levels, self._backlogs.grown))
        self._late: list[Ints] = []
        self._has_started = self._has_arrived = False
        self._looked_at: tuple[int, int, float, bool, int] | None = None
        self._to_restore: dict[str, float] = {}
        self._refreshed_hour = -1
        self._refreshed_at = -np.inf

    def _refresh(self, watermark: float, now: float) -> None:
        """Fit habits anew: all rows now and then, those with late lines within seconds."""
        hour = int(watermark // 3600)
        self._sums.forget_old(watermark)
        if self._is_due(hour):
            self._refreshed_hour, self._late = hour, []
            self._seen.learn_gaps()
            self._refit.begin(watermark)
        elif self._late and abs(now - self._refreshed_at) >= _REFRESH_LATE_S:
            flows, self._late = np.unique(np.concatenate(self._late)), []
            self._seen.learn_gaps()
            self._refit.some(flows, watermark)
        elif not self._refit.is_busy:
            return
        self._refit.step()
        self._refreshed_at = now
        self._silences.take_back(self._refit.take_fitted())
        self._evidence.forget()
        if not self._refit.is_busy:
            self._errors.forget()
        self._looked_at = None

    def _is_due(self, hour: int) -> bool:
        passed = hour - self._refreshed_hour
        return passed < 0 or (passed >= self._refresh_hours(hour) and not self._refit.is_busy)

    def _refresh_hours(self, hour: int) -> int:
        """A young habit changes by the hour, an old one slowly."""
        first = self._seen.first_minute()
        age = hour - (first or 0) // 60
        return 1 if age < 72 else 3 if age < 192 else 6

    def _bar(self, _rows: Ints, chances: Floats) -> Floats:
        """Evidence [rows] that a page takes, of so many chances a week."""
        return self._budget.bar(chances, self._levels.flow_count, lowest=BAR_LOWEST)

    def _excused_share(self, rows: Ints) -> Floats:
        """Which part of the messages [rows] nobody expects."""
        expected = 1.0 - self._excuses.share_of(rows)
        return np.asarray(1.0 - expected * (1.0 - self._day_off.share_of(rows)))

    def _explained(self) -> list[Explained]:
        """What open silences and errors took away."""
        names = self._levels.groups
        silent = [Explained(names[s.group], s.expected) for s in self._silences.open.values()]
        return silent + [Explained(names[f.group], f.failed) for f in self._errors.open.values()]

    def _platform_row(self) -> int | None:
        group = self._levels.find(Names(Level.PLATFORM))
        return None if group is None else self._levels.primary(group)

    def _hear(self, now: float) -> None:
        """Note what arrived since the last turn, and when."""
        if self._has_started:
            self._blindness.start(now)
        if self._has_arrived:
            self._blindness.hear(now)
        self._silences.arrive(self._sums.take_arrived(), now)
        self._has_started = self._has_arrived = False

    def _is_as_before(self, watermark: float, now: float, is_blind: bool) -> bool:
        """Whether the last turn looked at the very same, settled, and found nothing to follow."""
        versions = (self._sums.version, self._backlogs.version)
        looked_at = (*versions, watermark, is_blind, self._excuses.version)
        is_same = looked_at == self._looked_at and not self._told.has_any
        self._looked_at = looked_at if self._silences.has_settled(now) else None
        return (
            is_same
            and self._blindness.since is None
            and self._routers.is_settled()
            and not (self._silences.open or self._errors.open or self._declared.is_waiting)
        )

    def _restore(self) -> None:
        if not self._to_restore:
            return
        self._blindness.restore(self._to_restore.get(_BLIND_KEY))
        for key, since in self._to_restore.items():
            finding = remembered(key, since)
            self._told.restore(finding)
            group = silent_group(finding, self._levels)
            if group is not None:
                self._silences.restore(group, since)
        self._routers.restore(self._to_restore)
        self._declared.restore(self._to_restore)
        self._fold.restore(self._to_restore)
        self._errors.restore(self._to_restore)
        self._backlogs.restore(self._to_restore)
        for watcher in self._watchers:
            watcher.restore(self._to_restore)
        self._to_restore.clear()


_BLIND_KEY = blind_finding(0.0, 0.0, 0).key
