"""Whether messages fail more than they usually do, by evidence that grows message by message.

Per group, over the minutes of the last hour:

1. Against the usual share p₀ (`error_habit`), a mixture of binomial CUSUMs: for each alternative
   p₁, W ← max(0, W + f·ln(p₁/p₀) + (n-f)·ln((1-p₁)/(1-p₀))), with n and f scaled down by
   1 + (n-1)·rho because the messages of one minute fail together.
2. It opens when the best W, less ln(number of alternatives), passes a bar made from the budget of
   false pages, with at least three failures: three of three is evidence, one of one is not.
3. It closes when the same ratio the other way round (still failing → usual again) passes 5 nats,
   or when nothing has failed for an hour. What was before the close is not counted again.

Source: CUSUM, Page, Biometrika 41 (1954); mixtures, Lorden, Ann. Math. Stat. 42 (1971).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.error_fold import error_key, fold_errors, overlap
from streamgauge.detect.error_habit import ErrorHabit, ends
from streamgauge.detect.excuses import Excuses
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.sentences import at_utc, share
from streamgauge.detect.sums import Sums
from streamgauge.model.explanation import ErrorsWeighed
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

WINDOW = 60
_TIMES = (2.0, 4.0, 16.0)
_SHARES = (0.1, 0.3, 0.6, 0.95)
_LEAST_FAILED = 3
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
        self._suspicious: Floats = np.zeros(0)
        self._scored = (-1, -1)
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
        minute = int(watermark // 60)
        if not self.open and self._sums.newest_failed_minute <= minute - WINDOW:
            return []
        scored = (self._sums.version, minute)
        if scored != self._scored or len(self._suspicious) != len(self._levels.groups):
            self._suspicious, self._scored = self._score(minute, watermark, now), scored
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
        groups = np.array([group], np.int64)
        since = {open_: int(failing.since // 3600) for open_, failing in self.open.items()}
        self._habit.know(minute // 60, since)
        failed, total = ends(
            self._levels.channel_rows[groups],
            self._sums.window(minute, WINDOW),
            self._sums.window(minute, WINDOW, failed=True),
        )
        return ErrorsWeighed(
            failed=int(failed.sum()),
            ended=int(total.sum()),
            usual_ratio=float(self._habit.share[group]),
            nats=float(self._suspicious[group]) if group < len(self._suspicious) else 0.0,
            bar_nats=float(self._bars(groups)[0]),
        )

    def _score(self, minute: int, watermark: float, now: float) -> Floats:
        """Weigh the evidence of every group with failures; returns nats [groups]."""
        nats = np.zeros(len(self._levels.groups))
        failed_rows = self._sums.window(minute, WINDOW, failed=True)
        rows = np.flatnonzero(failed_rows.any(axis=0))
        groups = np.unique(self._levels.row_group[rows[rows > 0]])
        groups = np.union1d(groups, np.array(list(self.open), np.int64)).astype(np.int64)
        if not len(groups):
            return nats
        since = {group: int(f.since // 3600) for group, f in self.open.items()}
        self._habit.know(int(watermark // 3600), since)
        failed, total = ends(
            self._levels.channel_rows[groups], self._sums.window(minute, WINDOW), failed_rows
        )
        self._blank_closed(groups, failed, total, minute)
        usual, rho = self._habit.share[groups], self._habit.rho[groups]
        weight = 1.0 / (1.0 + np.maximum(total - 1.0, 0.0) * rho)
        # Only those whose last hour has a chance to pass are weighed minute by minute.
        is_open = np.isin(groups, list(self.open))
        worth = np.flatnonzero(_may_fire(failed, total, usual) | is_open)
        best, onset = _cusum((failed * weight)[:, worth], (total * weight)[:, worth], usual[worth])
        nats[groups[worth]] = best
        bars = self._bars(groups[worth])
        to_follow = (best >= bars) | is_open[worth]
        for place, value, start in zip(
            worth[to_follow], best[to_follow], onset[to_follow], strict=True
        ):
            self._follow(
                int(groups[place]),
                float(value),
                int(start),
                failed[:, place],
                total[:, place],
                weight[:, place],
                minute,
                now,
            )
        return nats

    def _blank_closed(self, groups: Ints, failed: Floats, total: Floats, minute: int) -> None:
        for group, closed in self._closed_minute.items():
            column = np.searchsorted(groups, group)
            if column < len(groups) and groups[column] == group:
                before = np.arange(minute - WINDOW + 1, minute + 1) <= closed
                failed[before, column] = total[before, column] = 0.0

    def _follow(
        self,
        group: int,
        nats: float,
        onset: int,
        failed: Floats,
        total: Floats,
        weight: Floats,
        minute: int,
        now: float,
    ) -> None:
        """Open or update one group; all arrays are [minutes]."""
        failing = self.open.get(group)
        usual = float(self._habit.share[group])
        if failing is None:
            lost, ends_ = failed[onset:].sum(), total[onset:].sum()
            retired = self._excuses.is_retired(self._levels.groups[group])
            if lost < _LEAST_FAILED or retired:
                return
            since = 60.0 * (minute - WINDOW + 1 + onset)
            worst = float(np.clip(lost / ends_, 2.0 * usual, _SURE))
            failing = Failing(group, since, now, nats, int(lost), int(ends_), usual, worst)
            self.open[group] = failing
        begin = max(int(failing.since // 60) - (minute - WINDOW + 1), 0)
        failing.nats = max(failing.nats, nats)
        lost, ends_ = float(failed[begin:].sum()), float(total[begin:].sum())
        if lost:
            failing.failed, failing.total = int(lost), int(ends_)
        usual = min(max(usual, failing.usual), 0.9 * failing.worst)
        good = _good_again(
            (failed * weight)[begin:], (total * weight)[begin:], usual, failing.worst
        )
        failing.good_nats = good if lost else np.inf

    def _bars(self, groups: Ints) -> Floats:
        looks = 7.0 * np.minimum(self._habit.per_day[groups], 1440.0)
        return self._budget.bar(looks, self._levels.flow_count, lowest=_BAR_LOWEST)

    def _close_quiet(self, minute: int, now: float) -> None:
        """Close what is usual again, and with it what was open only for the same messages."""
        quiet = [f for f in self.open.values() if f.good_nats >= self._needed(f)]
        for failing in quiet:
            self._close(failing, minute, now)
        deliveries = [self._levels.groups[g] for g in self.open if self._is_delivery(g)]
        for failing in list(self.open.values()) if quiet else []:
            names = self._levels.groups[failing.group]
            if self._is_delivery(failing.group) or error_key(names) in self._told:
                continue
            still = any(overlap(names, other) for other in deliveries)
            gone = any(overlap(names, self._levels.groups[q.group]) for q in quiet)
            if gone and not still:
                self._close(failing, minute, now)

    def _is_delivery(self, group: int) -> bool:
        return self._levels.groups[group].level is Level.TENANT_INTEGRATION

    def _needed(self, failing: Failing) -> float:
        """Nats that a close takes; fewer once others of the same integration are well again."""
        names = self._levels.groups[failing.group]
        recovered = self._recovered.get(names.integration or "", -np.inf)
        return _CLOSE_NATS_TOGETHER if recovered > failing.since else _CLOSE_NATS

    def _close(self, failing: Failing, minute: int, now: float) -> None:
        del self.open[failing.group]
        if self._is_delivery(failing.group) and self._key_above(failing.group) in self._told:
            self._well[failing.group] = failing
        self._closed_minute[failing.group] = minute
        reason = (
            f"failures are back to usual ({share(failing.usual)} or less) at {at_utc(now, now)}"
        )
        names = self._levels.groups[failing.group]
        self.ended[error_key(names)] = reason
        if names.integration:
            self._recovered[names.integration] = now
            self.ended.setdefault(self._key_above(failing.group), reason)

    def _key_above(self, group: int) -> str:
        """The key of the integration that a group belongs to."""
        integration = self._levels.groups[group].integration
        return error_key(Names(Level.INTEGRATION, None, None, integration))


def _may_fire(failed: Floats, total: Floats, usual: Floats) -> Bools:
    """Whether failures [minutes, groups] stand out at all in some stretch up to now."""
    lost, ends_ = np.cumsum(failed[::-1], 0), np.cumsum(total[::-1], 0)
    expected = usual * ends_
    return np.asarray((lost > expected + 2.5 * np.sqrt(expected) + 1.2).any(axis=0))


def _cusum(failed: Floats, total: Floats, usual: Floats) -> tuple[Floats, Ints]:
    """Best evidence [groups] at the last minute, and the minute [groups] at which it began."""
    alternatives = [np.minimum(usual * times, _SURE) for times in _TIMES]
    alternatives += [np.maximum(np.minimum(1.5 * usual, _SURE), part) for part in _SHARES]
    p1 = np.stack(alternatives, axis=-1)
    p0 = np.minimum(usual, 0.95)[:, None]
    for_failed, for_good = np.log(p1 / p0), np.log((1.0 - p1) / (1.0 - p0))
    level, onset = np.zeros(p1.shape), np.zeros(p1.shape, np.int64)
    for minute in range(len(failed)):
        lost, good = failed[minute][:, None], (total[minute] - failed[minute])[:, None]
        step = level + lost * for_failed + good * for_good
        onset = np.where((level <= 0.0) & (lost > 0.0), minute, onset)
        level = np.maximum(step, 0.0)
    best = level.argmax(axis=1)
    groups = np.arange(len(best))
    return np.maximum(level[groups, best] - np.log(p1.shape[1]), 0.0), onset[groups, best]


def _good_again(failed: Floats, total: Floats, usual: float, worst: float) -> float:
    """Evidence [now] that a failing group (share `worst`) is back at its usual share."""
    for_failed, for_good = np.log(usual / worst), np.log((1.0 - usual) / (1.0 - worst))
    steps = failed * for_failed + (total - failed) * for_good
    level = 0.0
    for step in steps:
        level = max(0.0, level + float(step))
    return level
