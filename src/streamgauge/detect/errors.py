"""Whether messages fail more than they usually do, by evidence that grows message by message.

1. Per group, over the last hour and the running one, any minute may be the one in which it began;
   what whole hours before say is kept (`error_past`). The messages of one hour fail together, so
   an hour is weighed as one draw of a share (`error_evidence`) around the usual (`error_habit`).
2. It opens when the best evidence, less ln(number of larger shares), passes a bar made from the
   budget of false pages, with at least three failures: three of three is evidence, one of one not.
3. It closes when the ratio of still failing to usual passes 5 nats the other way round; what was
   before the close is not counted again, and its hours are no part of the habit.

Source: CUSUM, Page, Biometrika 41 (1954); mixtures, Lorden, Ann. Math. Stat. 42 (1971).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.error_evidence import MIXED_NATS, of_hours
from streamgauge.detect.error_fold import error_key, fold_errors, overlap
from streamgauge.detect.error_habit import ErrorHabit, ends
from streamgauge.detect.error_past import ErrorPast
from streamgauge.detect.excuses import Excuses
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.sentences import at_utc, duration, share
from streamgauge.detect.sums import Sums
from streamgauge.model.explanation import ErrorsWeighed
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

WINDOW = 120
_LATE_MINUTES = 5
_COUNTED_HOURS = 72
_AT_A_TURN = 2048
"""So many groups without new failures are weighed again at a turn, one after the other."""
_LOOKS_A_DAY = 240.0
"""The minutes of an hour are no independent chances: their share is drawn together."""
_LEAST_FAILED = 3
_IDLE_LEAST_MINUTES = 60.0
_IDLE_GAPS = 25.0
_BAR_LOWEST = 8.0
_CLOSE_NATS = 5.0
_CLOSE_NATS_TOGETHER = 2.0
_SURE = 0.97


class Errors:
    """The groups that fail now."""

    def __init__(
        self, levels: Levels, sums: Sums, excuses: Excuses, budget: FalsePages | None = None
    ) -> None:
        self._levels, self._sums, self._excuses = levels, sums, excuses
        self._budget = budget or FalsePages()
        self._habit = ErrorHabit(levels, sums)
        self.open: dict[int, Failing] = {}
        self.ended: dict[str, str] = {}
        """Why each finding that may have ended did, by key."""
        self._past = ErrorPast(self._habit)
        self._suspicious: Floats = np.zeros(0)
        self._scored = (-1, -1)
        self._news: Ints = np.zeros(0, np.int64)
        """Groups with failures that were not weighed yet."""
        self._next = 0
        """Of others, the first to be weighed again."""
        self._closed_minute: dict[int, int] = {}
        self._recovered: dict[str, float] = {}
        """When a customer of an integration was last found well again."""
        self._told: set[str] = set()
        self._restored: set[str] = set()
        """Keys told before a restart, until the first turn after it."""
        self._well: dict[int, Failing] = {}
        """Customers of integrations that are told, which are well again: part of the incident."""

    def forget(self) -> None:
        """Habits changed."""
        self._habit.forget()

    def restore(self, since_by_key: dict[str, float]) -> None:
        """What was told before a restart is told without waiting."""
        self._restored = {key for key in since_by_key if key.startswith(f"{Kind.ERRORS}/")}
        self._told |= self._restored

    def judge(self, watermark: float, now: float, is_blind: bool) -> list[Finding]:
        """The findings that hold; while blind nothing closes."""
        self.ended = {
            key: f"fewer fail than would be told anew, seen at {at_utc(watermark, now)}"
            for key in self._restored
        }
        self._restored = set()
        self._hear()
        minute = int(watermark // 60)
        if not self.open and self._sums.newest_failed_minute <= minute - WINDOW:
            return []
        scored = (self._sums.version, minute)
        if scored != self._scored or len(self._suspicious) != len(self._levels.groups):
            self._suspicious, self._scored = self._score(minute, now), scored
        if not is_blind:
            self._close_quiet(minute, now)
        found = fold_errors(
            self.open,
            self._suspicious,
            self._told,
            self._levels,
            self._sums.reasons,
            now,
            self._well,
        )
        self._told = {finding.key for finding in found}
        self._well = {g: f for g, f in self._well.items() if self._key_above(g) in self._told}
        return found

    def weigh(self, group: int, minute: int) -> ErrorsWeighed:
        """What the last turn, in `minute`, made of a group's last hour."""
        groups, hour = np.array([group], np.int64), minute // 60
        self._habit.know(hour, groups)
        failed, total = self._window(groups, hour)
        last = minute - 60 * hour + 61
        nats = float(self._suspicious[group]) if group < len(self._suspicious) else 0.0
        return ErrorsWeighed(
            failed=int(failed[last - 60 : last].sum()),
            ended=int(total[last - 60 : last].sum()),
            usual_ratio=float(self._habit.upper(groups)[0]),
            nats=nats,
            bar_nats=float(self._bars(groups)[0]),
        )

    def _score(self, minute: int, now: float) -> Floats:
        """Weigh the evidence of groups with failures; returns nats [groups], of all of them."""
        nats = np.zeros(len(self._levels.groups))
        hour = minute // 60
        groups = np.concatenate(
            [
                self._habit.failing_in(hour - 1),
                self._habit.failing_in(hour),
                np.array(list(self.open), np.int64),
            ]
        )
        groups = np.unique(groups).astype(np.int64)
        told_until = {group: closed // 60 for group, closed in self._closed_minute.items()}
        self._past.advance(hour - 2, told_until)
        if not len(groups):
            return nats
        groups, others = self._to_weigh(groups)
        others = others[others < len(self._suspicious)]
        nats[others] = self._suspicious[others]
        self._habit.know(hour, groups)
        failed, total = self._window(groups, hour)
        self._blank_closed(groups, failed, total, 60 * hour - 60)
        before, began_hour = self._past.of(groups)
        is_open = np.isin(groups, list(self.open))
        usual = self._habit.mean[groups]
        worth = np.flatnonzero(_may_fire(failed, total, usual, before) | is_open)
        if not len(worth):
            return nats
        some, last = groups[worth], minute - 60 * hour + 60
        level, onset = of_hours(
            self._habit.shares(some), before[worth], failed[:, worth], total[:, worth], last
        )
        best = level.argmax(axis=1)
        at = (np.arange(len(some)), best)
        evidence = np.maximum(level[at] - MIXED_NATS, 0.0)
        nats[some] = evidence
        bars = self._bars(some)
        to_follow = (evidence >= bars) | is_open[worth]
        for place in np.flatnonzero(to_follow & ~is_open[worth]).tolist():
            to_follow[place] = self._is_borne(int(some[place]), nats, float(bars[place]))
        for place in np.flatnonzero(to_follow).tolist():
            column, choice = worth[place], best[place]
            began = int(onset[place, choice])
            if began < 0:
                since = 60 * int(began_hour[column, choice])
            else:
                lost = np.flatnonzero(failed[began:, column])
                since = 60 * hour - 60 + began + int(lost[0] if len(lost) else 0)
            self._follow(
                int(some[place]),
                float(evidence[place]),
                since,
                failed[:, column],
                total[:, column],
                60 * hour - 60,
                now,
            )
        return nats

    def _hear(self) -> None:
        """Note who failed since the last turn."""
        rows = self._levels.flow_rows[self._sums.take_failed()].ravel()
        if len(rows):
            self._news = np.union1d(self._news, self._levels.row_group[rows[rows > 0]])

    def _to_weigh(self, groups: Ints) -> tuple[Ints, Ints]:
        """Those to weigh at this turn and the others: of many all with new failures, and some."""
        is_new = np.isin(groups, self._news) | np.isin(groups, list(self.open))
        others = np.flatnonzero(~is_new)
        if len(others) <= _AT_A_TURN:
            is_new[others] = True
        else:
            first = int(np.searchsorted(groups[others], self._next))
            some = np.roll(others, -first)[:_AT_A_TURN]
            self._next = int(groups[some[-1]]) + 1
            is_new[some] = True
        self._news = np.zeros(0, np.int64)
        return groups[is_new], groups[~is_new]

    def _is_borne(self, group: int, nats: Floats, bar: float) -> bool:
        """Whether two customers or more bear what all of an integration or the platform show.

        Customers differ in their shares: where those who fail most send most of an hour, the whole
        fails more though nobody does.
        """
        if self._levels.group_level[group] not in {Level.INTEGRATION, Level.PLATFORM}:
            return True
        members = np.array(self._levels.members.get(group), np.int64)
        return bool(np.minimum(nats[members], 0.7 * bar).sum() >= bar)

    def _window(self, groups: Ints, hour: int) -> tuple[Floats, Floats]:
        """Failures and ends [120, groups] of the minutes of the last hour and of this one."""
        rows, last = self._levels.channel_rows[groups], 60 * hour + 59
        asked, place = np.unique(rows, return_inverse=True)
        local = np.where(rows >= 0, place.reshape(rows.shape), -1)
        asked = np.maximum(asked, 0)
        return ends(
            local,
            self._sums.window_of(asked, last, WINDOW).astype(np.float64),
            self._sums.window_of(asked, last, WINDOW, failed=True).astype(np.float64),
        )

    def _blank_closed(self, groups: Ints, failed: Floats, total: Floats, first: int) -> None:
        """Take out what belongs to an incident that is over; `first`: minute of place 0."""
        for group, closed in self._closed_minute.items():
            column = np.searchsorted(groups, group)
            if column < len(groups) and groups[column] == group and closed >= first:
                failed[: closed - first + 1, column] = total[: closed - first + 1, column] = 0.0

    def _follow(
        self,
        group: int,
        nats: float,
        since_minute: int,
        failed: Floats,
        total: Floats,
        first: int,
        now: float,
    ) -> None:
        """Open or update one group; arrays are [minutes] from minute `first` on."""
        failing = self.open.get(group)
        if failing is None:
            lost, all_ = self._counted(group, since_minute, failed, total, first)
            retired = self._excuses.is_retired(self._levels.groups[group])
            if lost < _LEAST_FAILED or retired:
                return
            usual = float(self._habit.upper(np.array([group]))[0])
            share_ = max(lost - np.sqrt(lost), 0.5 * lost) / max(all_, 1.0)
            worst = float(np.clip(share_, min(2.0 * self._habit.mean[group], _SURE), _SURE))
            failing = Failing(group, 60.0 * since_minute, now, nats, 0, 0, usual, worst)
            failing.judged_until = max(
                first + int(np.flatnonzero(failed).max(initial=0)), since_minute
            )
            self.open[group] = failing
        failing.nats = max(failing.nats, nats)
        lost, all_ = self._counted(group, int(failing.since // 60), failed, total, first)
        if lost >= failing.failed:
            failing.failed, failing.total = int(lost), int(all_)
            surely = float((lost - np.sqrt(lost)) / max(all_, 1.0))
            failing.worst = max(failing.worst, min(surely, _SURE))
        spoke = np.flatnonzero(total)
        if len(spoke):
            failing.last_minute = max(failing.last_minute, first + int(spoke[-1]))
        self._judge_good(failing, failed, total, first)

    def _counted(
        self, group: int, since: int, failed: Floats, total: Floats, first: int
    ) -> tuple[float, float]:
        """Failures and ends since a minute; before `first`, of whole hours."""
        begin = max(since - first, 0)
        lost, all_ = float(failed[begin:].sum()), float(total[begin:].sum())
        hours = np.arange(max(since // 60, first // 60 - _COUNTED_HOURS), first // 60)
        if not len(hours):
            return lost, all_
        more = self._habit.hours(np.array([group]), hours)
        return lost + float(more[0].sum()), all_ + float(more[1].sum())

    def _judge_good(self, failing: Failing, failed: Floats, total: Floats, first: int) -> None:
        """Evidence that a failing group is back at its usual share, minute by minute."""
        settled = failing.judged_until - first + 1
        mean = float(self._habit.mean[failing.group])
        usual = min(max(failing.usual, mean), 0.5 * failing.worst)
        for_failed = np.log(usual / failing.worst)
        for_good = np.log((1.0 - usual) / (1.0 - failing.worst))
        level = failing.good_before
        # What may still be added to is judged at each turn, what is settled once.
        newest = int(np.flatnonzero(total).max(initial=0))
        keep = 59 if newest >= 60 + _LATE_MINUTES else -1
        for place in range(max(settled, 0), len(failed)):
            step = failed[place] * for_failed + (total[place] - failed[place]) * for_good
            level = max(0.0, level + float(step))
            if place <= keep:
                failing.judged_until, failing.good_before = first + place, level
        failing.good_nats = level

    def _bars(self, groups: Ints) -> Floats:
        looks = 7.0 * np.minimum(self._habit.per_day[groups], _LOOKS_A_DAY)
        return self._budget.bar(looks, self._levels.flow_count, lowest=_BAR_LOWEST)

    def _close_quiet(self, minute: int, now: float) -> None:
        """Close what is usual again, and with it what was open only for the same messages."""
        quiet = [f for f in self.open.values() if f.good_nats >= self._needed(f)]
        for failing in quiet:
            usual = f"failures are back to usual ({share(failing.usual)} or less)"
            self._close(failing, minute, f"{usual} at {at_utc(now, now)}")
        for failing in list(self.open.values()):
            idle = minute - failing.last_minute
            if idle > self._tried_again_minutes(failing.group):
                tried = f"nothing of it has been tried for {duration(60.0 * idle)}"
                self._close(failing, minute, tried)
        deliveries = [self._levels.groups[g] for g in self.open if self._is_delivery(g)]
        for failing in list(self.open.values()) if quiet else []:
            names = self._levels.groups[failing.group]
            if self._is_delivery(failing.group) or error_key(names) in self._told:
                continue
            still = any(overlap(names, other) for other in deliveries)
            gone = any(overlap(names, self._levels.groups[q.group]) for q in quiet)
            if gone and not still:
                usual = f"failures are back to usual ({share(failing.usual)} or less)"
                self._close(failing, minute, f"{usual} at {at_utc(now, now)}")

    def _tried_again_minutes(self, group: int) -> float:
        """Many gaps of its busy hours: what sends nothing any more neither fails nor is well."""
        per_day = float(self._habit.per_day[group])
        return max(_IDLE_LEAST_MINUTES, _IDLE_GAPS * 1440.0 / max(per_day, 1.0))

    def _is_delivery(self, group: int) -> bool:
        return self._levels.groups[group].level is Level.TENANT_INTEGRATION

    def _needed(self, failing: Failing) -> float:
        """Nats that a close takes; fewer once others of the same integration are well again."""
        names = self._levels.groups[failing.group]
        recovered = self._recovered.get(names.integration or "", -np.inf)
        return _CLOSE_NATS_TOGETHER if recovered > failing.since else _CLOSE_NATS

    def _close(self, failing: Failing, minute: int, reason: str) -> None:
        del self.open[failing.group]
        if self._is_delivery(failing.group) and self._key_above(failing.group) in self._told:
            self._well[failing.group] = failing
        self._closed_minute[failing.group] = minute
        self._past.forget(failing.group)
        hours = (int(failing.since // 3600), minute // 60)
        self._habit.spoiled.setdefault(failing.group, []).append(hours)
        names = self._levels.groups[failing.group]
        self.ended[error_key(names)] = reason
        if names.integration:
            self._recovered[names.integration] = 60.0 * minute
            self.ended.setdefault(self._key_above(failing.group), reason)

    def _key_above(self, group: int) -> str:
        """The key of the integration that a group belongs to."""
        integration = self._levels.groups[group].integration
        return error_key(Names(Level.INTEGRATION, None, None, integration))


def _may_fire(failed: Floats, total: Floats, usual: Floats, before: Floats) -> Bools:
    """Whether failures [minutes, groups] stand out at all in some stretch up to now."""
    lost, ends_ = np.cumsum(failed[::-1], 0), np.cumsum(total[::-1], 0)
    expected = usual * ends_
    stands_out = (lost > 1.5 * expected + 2.0 * np.sqrt(expected) + 1.2).any(axis=0)
    return np.asarray(stands_out | ((before.max(axis=1) > 2.0) & failed.any(axis=0)))
