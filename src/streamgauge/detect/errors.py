"""Whether messages fail more than they usually do, by evidence that grows message by message.

1. Per group, over the last hour and the running one, any minute may be the one in which it began;
   what whole hours before say is kept (`error_past`). The messages of one hour fail together, so
   an hour is weighed as one draw of a share (`error_evidence`) around the usual (`error_habit`).
2. Where most fail for a reason that is not usual there, that is evidence too (`reason_habit`).
3. It opens when the best evidence, less ln(number of larger shares), passes a bar made from the
   budget of false pages, with at least three failures: three of three is evidence, one of one not.
   An integration also opens by what its customers say together (`error_joint`).
4. It closes when the ratio of still failing to usual passes 5 nats the other way round; what was
   before the close is not counted again, and its hours are no part of the habit (`error_ends`).

Source: CUSUM, Page, Biometrika 41 (1954); mixtures, Lorden, Ann. Math. Stat. 42 (1971).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.error_ends import ErrorEnds
from streamgauge.detect.error_evidence import MIXED_NATS, of_hours
from streamgauge.detect.error_fold import fold_errors
from streamgauge.detect.error_follow import begin, update
from streamgauge.detect.error_habit import ErrorHabit
from streamgauge.detect.error_joint import Joint, of_members
from streamgauge.detect.error_novel import Novelty
from streamgauge.detect.error_past import ErrorPast
from streamgauge.detect.error_turns import Turns
from streamgauge.detect.error_window import WINDOW, Window, Windows
from streamgauge.detect.excuses import Excuses
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.sentences import at_utc
from streamgauge.detect.sums import Sums
from streamgauge.model.explanation import ErrorsWeighed
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

_LOOKS_A_DAY = 240.0
"""The minutes of an hour are no independent chances: their share is drawn together."""
_LEAST_FAILED = 3
_BAR_LOWEST = 8.0
_JOINT_FROM_NATS = 3.0
"""Where customers of an integration together show so much, they are weighed together."""

_JOINS_S = 900.0
"""So long after one was proven, others may still show that it is not alone."""


class Evidence(NamedTuple):
    """Of one group of a window."""

    place: int
    nats: float
    since: int
    """Minute since the epoch."""
    is_proven: bool


class Errors:
    """The groups that fail now."""

    def __init__(
        self, levels: Levels, sums: Sums, excuses: Excuses, budget: FalsePages | None = None
    ) -> None:
        self._levels, self._sums, self._excuses = levels, sums, excuses
        self._budget = budget or FalsePages()
        self._habit = ErrorHabit(levels, sums)
        self.open: dict[int, Failing] = {}
        self._past = ErrorPast(self._habit)
        self._novelty = Novelty(levels, sums.reasons)
        self._ends = ErrorEnds(levels, self._habit)
        self._windows = Windows(self._habit, self._ends.closed_minute)
        self._turns = Turns(levels)
        self._suspicious: Floats = np.zeros(0)
        self._scored = (-1, -1)
        self._told: set[str] = set()
        self._restored: set[str] = set()
        """Keys told before a restart, until the first turn after it."""

    @property
    def ended(self) -> dict[str, str]:
        """Why each finding that may have ended did, by key."""
        return self._ends.reasons

    def forget(self) -> None:
        """Habits changed."""
        self._habit.forget()

    def restore(self, since_by_key: dict[str, float]) -> None:
        """What was told before a restart is told without waiting."""
        self._restored = {key for key in since_by_key if key.startswith(f"{Kind.ERRORS}/")}
        self._told |= self._restored

    def judge(self, watermark: float, now: float, is_blind: bool) -> list[Finding]:
        """The findings that hold; while blind nothing closes."""
        self._ends.begin_turn(self._restored, self._told, at_utc(watermark, now))
        self._restored = set()
        self._turns.hear(self._sums.take_failed())
        minute = int(watermark // 60)
        if not self.open and self._sums.newest_failed_minute <= minute - WINDOW:
            return []
        scored = (self._sums.version, minute)
        if scored != self._scored or len(self._suspicious) != len(self._levels.groups):
            self._suspicious, self._scored = self._score(minute, now), scored
        if not is_blind:
            for failing in self._ends.close(self.open, self._told, minute, now):
                self._end(failing, minute)
        found = fold_errors(
            self.open,
            self._suspicious,
            self._told,
            self._levels,
            self._sums.reasons,
            now,
            self._ends.well,
        )
        self._told = {finding.key for finding in found}
        return found

    def weigh(self, group: int, minute: int) -> ErrorsWeighed:
        """What the last turn, in `minute`, made of a group's last hour."""
        groups, hour = np.array([group], np.int64), minute // 60
        self._habit.know(hour, groups)
        window = self._windows.of(groups, minute)
        last_hour = slice(window.last - 59, window.last + 1)
        nats = float(self._suspicious[group]) if group < len(self._suspicious) else 0.0
        return ErrorsWeighed(
            failed=int(window.failed[last_hour].sum()),
            ended=int(window.total[last_hour].sum()),
            usual_ratio=float(self._habit.upper(groups)[0]),
            nats=nats,
            bar_nats=float(self._bars(groups)[0]),
        )

    def _score(self, minute: int, now: float) -> Floats:
        """Weigh the evidence of every group with failures; returns nats [groups]."""
        nats = np.zeros(len(self._levels.groups))
        groups, hour = self._failing_in(minute // 60), minute // 60
        told_until = {group: closed // 60 for group, closed in self._ends.closed_minute.items()}
        self._past.advance(hour - 2, told_until)
        self._habit.suspected = self._past.suspected()
        self._novelty.settle(hour - 1, self._habit.incidents)
        if not len(groups):
            return nats
        groups, others = self._turns.to_weigh(groups, np.array(list(self.open), np.int64))
        others = others[others < len(self._suspicious)]
        nats[others] = self._suspicious[others]
        self._habit.know(hour, groups)
        window = self._windows.of(groups, minute)
        before, began_hour = self._past.of(groups)
        is_open = np.isin(groups, list(self.open))
        usual = self._habit.mean[groups]
        worth = _may_fire(window.failed, window.total, usual, before) | is_open
        if not worth.any():
            return nats
        at = np.flatnonzero(worth)
        window = window.some(at)
        some, shares = window.groups, self._habit.shares(window.groups)
        level, onset = of_hours(shares, before[at], window.failed, window.total, window.last)
        best = (np.arange(len(some)), level.argmax(axis=1))
        evidence = np.maximum(level[best] - MIXED_NATS, 0.0)
        since = np.where(onset[best] < 0, 60 * began_hour[at][best], window.first + onset[best])
        since = window.first_failure(since)
        nats[some] = evidence
        bars = self._bars(some)
        news, why = self._novelty.nats(some, since, evidence >= 0.25 * bars)
        evidence = evidence + news
        is_open = is_open[at]
        for place in np.flatnonzero((evidence >= bars) | is_open).tolist():
            is_proven = bool(evidence[place] >= bars[place])
            if is_open[place] or self._is_borne(int(some[place]), nats, float(bars[place])):
                one = Evidence(place, float(evidence[place]), int(since[place]), is_proven)
                self._follow(one, why[place], window, now)
        self._score_together(minute, some, nats, now)
        return nats

    def _failing_in(self, hour: int) -> Ints:
        """Groups with a failure in this hour or the last, and all that are open."""
        parts = [self._habit.failing_in(hour - 1), self._habit.failing_in(hour)]
        parts.append(np.array(list(self.open), np.int64))
        return np.unique(np.concatenate(parts)).astype(np.int64)

    def _score_together(self, minute: int, some: Ints, nats: Floats, now: float) -> None:
        """Weigh integrations by all of their customers, and customers by all that they send to."""
        is_wanted = self._levels.group_level[some] == Level.TENANT
        tenants = some[is_wanted & (nats[some] >= _JOINT_FROM_NATS)].tolist()
        for group in (*self._levels.of_level(Level.INTEGRATION), *tenants):
            members = np.array(self._levels.members.get(group), np.int64)
            is_delivery = self._levels.group_level[members] == Level.TENANT_INTEGRATION
            members = members[is_delivery]
            whole = self.open.get(group)
            if whole is not None and (whole.is_of_several or now - whole.fired_at > _JOINS_S):
                continue
            # What one customer was told for must not be taken for all of an integration's.
            members = members[[not self._is_known(m, now) for m in members.tolist()]]
            if len(members) < 2:
                continue
            if max(nats[group], nats[members].sum()) < _JOINT_FROM_NATS:
                continue
            everybody = np.sort(np.append(members, group))
            self._habit.know(minute // 60, everybody)
            window = self._windows.of(everybody, minute)
            joint = self._weighed(members, window)
            bar = float(self._bars(np.array([group]))[0])
            if joint.is_of_several and joint.nats >= bar:
                nats[group] = max(nats[group], joint.nats)
                self._open_together(group, members[joint.bearers], joint, window, now)

    def _is_known(self, group: int, now: float) -> bool:
        failing = self.open.get(group)
        return failing is not None and now - failing.fired_at > _JOINS_S

    def _weighed(self, members: Ints, window: Window) -> Joint:
        at = np.searchsorted(window.groups, members)
        shares = self._habit.shares(members)
        return of_members(shares, window.failed[:, at], window.total[:, at], window.last)

    def _open_together(
        self, group: int, bearers: Ints, joint: Joint, window: Window, now: float
    ) -> None:
        since = window.first + joint.began
        for one in (group, *bearers.tolist()):
            if one not in self.open:
                failing = begin(one, joint.nats, since, window, self._habit, now)
                failing.is_borne = one != group
                least = 1 if failing.is_borne else _LEAST_FAILED
                if failing.failed >= least and not self._is_retired(one):
                    self._begin(failing)
                    update(failing, joint.nats, window, self._habit)
        if group in self.open:
            self.open[group].is_of_several = True

    def _is_borne(self, group: int, nats: Floats, bar: float) -> bool:
        """Whether two customers or more bear what all of an integration or the platform show.

        Customers differ in their shares: where those who fail most send most of an hour, the whole
        fails more though nobody does.
        """
        if self._levels.group_level[group] not in {Level.INTEGRATION, Level.PLATFORM}:
            return True
        members = np.array(self._levels.members.get(group), np.int64)
        return bool(np.minimum(nats[members], 0.7 * bar).sum() >= bar)

    def _follow(self, one: Evidence, why: str, window: Window, now: float) -> None:
        """Open or update one group."""
        group = int(window.groups[one.place])
        failing = self.open.get(group)
        if failing is None:
            failing = begin(group, one.nats, one.since, window, self._habit, now)
            if failing.failed < _LEAST_FAILED or self._is_retired(group):
                return
            failing.new_reason = why
            self._begin(failing)
        failing.is_borne &= not one.is_proven
        update(failing, one.nats, window, self._habit)

    def _begin(self, failing: Failing) -> None:
        self.open[failing.group] = failing
        groups = self._counting(failing.group)
        self._habit.incidents.begin(failing.group, int(failing.since // 3600), groups)

    def _end(self, failing: Failing, minute: int) -> None:
        """What failed was told: parts of it, and what it is a part of, do not tell it again."""
        groups = self._habit.incidents.end(failing.group, minute // 60)
        groups = groups[~np.isin(groups, list(self.open))]
        self._past.forget(groups)
        self._ends.closed_minute |= dict.fromkeys(groups.tolist(), minute)

    def _counting(self, group: int) -> Ints:
        """The groups of the same customer in which the messages of one count."""
        names = self._levels.groups[group]
        if names.tenant is None:
            return np.array([group], np.int64)
        rows = self._levels.flow_rows[self._levels.flows_within(names.scope)]
        groups = np.unique(self._levels.row_group[rows[rows > 0]]).astype(np.int64)
        groups = groups[self._levels.group_level[groups] < Level.INTEGRATION]
        return np.union1d(groups, [group]).astype(np.int64)

    def _is_retired(self, group: int) -> bool:
        return self._excuses.is_retired(self._levels.groups[group])

    def _bars(self, groups: Ints) -> Floats:
        looks = 7.0 * np.minimum(self._habit.per_day[groups], _LOOKS_A_DAY)
        looks = np.where(self._habit.is_new(groups), 7.0 * _LOOKS_A_DAY, looks)
        return self._budget.bar(looks, self._levels.flow_count, lowest=_BAR_LOWEST)


def _may_fire(failed: Floats, total: Floats, usual: Floats, before: Floats) -> Bools:
    """Whether failures [minutes, groups] stand out at all in some stretch up to now."""
    lost, ends_ = np.cumsum(failed[::-1], 0), np.cumsum(total[::-1], 0)
    expected = usual * ends_
    stands_out = (lost > 1.5 * expected + 2.0 * np.sqrt(expected) + 1.2).any(axis=0)
    return np.asarray(stands_out | ((before.max(axis=1) > 2.0) & failed.any(axis=0)))
