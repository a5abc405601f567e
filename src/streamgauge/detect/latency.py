"""Whether messages take longer than they usually do.

For every customer, customer's integration, integration and the platform, where latency is told:

1. A message is slow when it takes more than half a second and 41 % longer than the 95 % (99 %)
   bucket of the level's own habit, or than a limit that somebody fixed (`latency_habit`).
2. How many are slow is weighed as failures are (`latency_evidence`); it is told when the evidence
   passes the bar of the budget, at least three times as many as usual are slow and 15 (5) of 100.
3. It closes when the ratio the other way round passes 5 nats, when no latency was told for six
   hours, or after two days: then it is usual.

Only the last stage that is told counts: `delivered`, or what stands in for it.

Sources: as of `latency_habit` and `latency_evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.latency_evidence import SlowRuns
from streamgauge.detect.latency_fold import LatencyFold
from streamgauge.detect.latency_habit import LatencyHabit
from streamgauge.detect.latency_places import LatencyPlaces
from streamgauge.detect.latency_recent import Recent
from streamgauge.detect.latency_words import latency_key, over, usual_now
from streamgauge.detect.levels import Levels
from streamgauge.detect.restored import restored_group
from streamgauge.detect.slow import Slow
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

Bar = Callable[[Ints, Floats], Floats]
"""Evidence [rows] that a finding takes, from the rows and their chances a week."""
_LATE_MINUTES = 120
_LEARN_HOURS = 3.0
_WORTH_NATS, _SUSPICIOUS_NATS = 3.0, 6.0
_TIMES, _LEAST_SHARE, _LEAST_SLOW = 3.0, (0.15, 0.05), 5
_CLOSE_NATS = 5.0
_UNHEARD_MINUTES = 360
_USUAL_AFTER_S = 48 * 3600.0


class Latencies:
    """The levels that are slow now; a `watcher.Watcher`."""

    def __init__(self, levels: Levels, bar: Bar) -> None:
        self._levels, self._bar = levels, bar
        self._places = LatencyPlaces(levels)
        self._habit, self._runs, self._recent = LatencyHabit(), SlowRuns(), Recent()
        self.open: dict[int, Slow] = {}
        """By group."""
        self._fold = LatencyFold(levels, self._is_suspicious, self._recent)
        self._ended: dict[str, str] = {}
        self._waiting: list[tuple[Ints, Ints, Floats, Floats]] = []
        self._hour: int | None = None
        self._newest = 0

    @property
    def ended(self) -> Mapping[str, str]:
        """Why each finding that ended at the last turn did, by key."""
        return self._ended

    def learn(self, hours: Arrivals) -> None:
        """Counts alone say nothing of latency; see `learn_hours`."""

    def observe(self, arrivals: Arrivals) -> None:
        """Counts alone say nothing of latency; see `observe_minutes`."""

    def learn_hours(self, table: pa.Table) -> None:
        """Take LATENCY_HOURS_COLUMNS of the past; flows that were never counted are left out."""
        hour = table["hour"].to_numpy()
        flows = self._levels.known(table)
        for now in np.unique(hour):
            at = np.flatnonzero((hour == now) & (flows >= 0))
            bucket, count = table["bucket"].to_numpy()[at], table["count"].to_numpy()[at]
            self._take(flows[at], bucket.astype(float), count.astype(float))
            self._habit.end_hour(np.ones(len(self._places), bool))

    def observe_minutes(self, table: pa.Table) -> None:
        """Take LATENCIES_COLUMNS; flows that were never counted are left out."""
        if not table.num_rows:
            return
        minute, flows = table["minute"].to_numpy(), self._levels.known(table)
        newest = int(minute[flows >= 0].max(initial=self._newest))
        at = np.flatnonzero((flows >= 0) & (minute > newest - _LATE_MINUTES))
        bucket = table["bucket"].to_numpy()[at].astype(float)
        count = table["count"].to_numpy()[at].astype(float)
        self._newest = newest
        self._waiting.append((minute[at], flows[at], bucket, count))

    def restore(self, since_by_key: Mapping[str, float]) -> None:
        """Hold open what was open before a restart."""
        for key, since in since_by_key.items():
            group = restored_group(key, self._levels)
            if key.startswith(f"{Kind.LATENCY}/") and group is not None:
                self.open[group] = Slow(group, -1, since, since, 0, np.nan, np.nan, 0.05, 0.0, 0.0,
                                        0.0, 0.0)  # fmt: skip
        self._fold.restore(since_by_key)

    def judge(self, turn: Turn) -> list[Finding]:
        """All levels that are slow now."""
        self._ended = {}
        waiting, self._waiting = self._waiting, []
        if not waiting and not self.open:
            return []
        if waiting:
            minute, flows, bucket, count = (
                np.concatenate(part) for part in zip(*waiting, strict=True)
            )
            self._recent.add(minute, flows, bucket, count)
            self._end_hours(int(turn.watermark // 3600))
            if len(minute):
                self._weigh(int(minute.min()), flows, bucket, count, turn)
        if not turn.is_blind:
            self._end(turn)
        return self._fold.findings(self.open, turn)

    def _end_hours(self, hour: int) -> None:
        if self._hour is not None and hour != self._hour:
            is_learned = np.ones(len(self._places), bool)
            is_learned[[slow.place for slow in self.open.values() if slow.place >= 0]] = False
            self._habit.end_hour(is_learned)
        self._hour = hour

    def _take(self, flows: Ints, bucket: Floats, count: Floats) -> tuple[Floats, Floats]:
        """Sum messages by place; new places begin with what came."""
        self._places.know(flows)
        size = len(self._places)
        self._habit.make_room(size)
        self._runs.make_room(size)
        total, slow = np.zeros(size), np.zeros((size, 2))
        for place in self._places.of_flows(flows):
            at = np.flatnonzero(place >= 0)
            self._habit.begin(place[at], bucket[at], count[at])
            of_all, of_slow = self._habit.add(size, place[at], bucket[at], count[at])
            total, slow = total + of_all, slow + of_slow
        return total, slow

    def _weigh(self, minute: int, flows: Ints, bucket: Floats, count: Floats, turn: Turn) -> None:
        total, slow = self._take(flows, bucket, count)
        places = np.flatnonzero((total > 0.0) & (self._habit.hours[: len(total)] >= _LEARN_HOURS))
        self._follow(total, slow, int(turn.watermark // 60))
        is_open = np.isin(places, [one.place for one in self.open.values()])
        at = places[~is_open]
        if not len(at):
            return
        usual, rho = self._habit.usual(at)
        hourly = np.maximum(self._habit.per_hour[at][:, None] - 1.0, 0.0)
        weight = 1.0 / (1.0 + hourly * rho)
        self._runs.add(at, total[at], slow[at], usual, weight, minute)
        worth = (self._runs.nats[at] > _WORTH_NATS).any(axis=1)
        if worth.any():
            self._open(at[worth], usual[worth], rho[worth], turn)

    def _open(self, at: Ints, usual: Floats, rho: Floats, turn: Turn) -> None:
        nats = self._runs.evidence(at, usual, rho, int(turn.watermark // 60))
        nats = np.where(self._is_far(at, usual), nats, 0.0)
        a_day = np.clip(24.0 * self._habit.per_hour[at], 1.0, 1440.0)
        bars = self._bar(self._places.rows[at], 7.0 * a_day)
        for number in np.flatnonzero(nats.max(axis=1) >= bars):
            # The first of the two that is sure: "95 of 100" says more.
            place, which = int(at[number]), int((nats[number] >= bars[number]).argmax())
            group, one = int(self._places.groups[place]), np.array([place])
            self.open[group] = Slow(
                group, place, 60.0 * float(self._runs.since_minute[place, which]), turn.now, which,
                float(self._habit.threshold(one)[0, which]),
                float(self._habit.bucket[place, which]), float(usual[number, which]),
                float(self._runs.count[place, which]), float(self._runs.slow[place, which]),
                float(nats[number, which]), float(bars[number]),
                heard_minute=int(turn.watermark // 60),
            )  # fmt: skip
            self._runs.forget(one)

    def _is_far(self, at: Ints, usual: Floats) -> Bools:
        share = self._runs.share(at)
        is_often = share >= np.maximum(_TIMES * usual, _LEAST_SHARE)
        return np.asarray(is_often & (self._runs.slow[at] >= _LEAST_SLOW))

    def _follow(self, total: Floats, slow: Floats, minute: int) -> None:
        """Take what came to levels that are slow."""
        for one in self.open.values():
            if one.place < 0:
                self._find_again(one)
            if one.place < 0 or not total[one.place]:
                continue
            n, k = float(total[one.place]), float(slow[one.place, one.which])
            rho = float(self._habit.usual(np.array([one.place]))[1][0, one.which])
            weight = 1.0 / (1.0 + max(float(self._habit.per_hour[one.place]) - 1.0, 0.0) * rho)
            worst = min(max(one.share, 2.0 * one.usual, 0.1), 0.97)
            step = k * np.log(one.usual / worst) + (n - k) * np.log((1 - one.usual) / (1 - worst))
            one.good_nats = max(0.0, one.good_nats + float(weight * step))
            one.count, one.slow, one.heard_minute = one.count + n, one.slow + k, minute

    def _find_again(self, one: Slow) -> None:
        """What was open before a restart, now that its latency is told again."""
        place = self._places.find(one.group)
        if place is not None and not np.isnan(self._habit.bucket[place, 0]):
            one.place, one.usual_bucket = place, float(self._habit.bucket[place, 0])
            one.threshold_bucket = float(self._habit.threshold(np.array([place]))[0, 0])
            one.usual = float(self._habit.usual(np.array([place]))[0][0, 0])

    def _end(self, turn: Turn) -> None:
        minute = int(turn.watermark // 60)
        for group, one in list(self.open.items()):
            reason = ""
            one.heard_minute = one.heard_minute or minute
            if one.good_nats >= _CLOSE_NATS:
                reason = over(one, turn.now)
            elif turn.watermark - one.since >= _USUAL_AFTER_S:
                reason = usual_now()
                if one.place >= 0:
                    self._habit.forget(one.place)
            elif minute - one.heard_minute > _UNHEARD_MINUTES:
                reason = "no latency was told for six hours"
            if reason:
                del self.open[group]
                self._ended[latency_key(self._levels.groups[group])] = reason

    def _is_suspicious(self, groups: list[int]) -> list[int]:
        """Those of `groups` that look slow, though it is not proven."""
        found = []
        for group in groups:
            place = self._places.find(group)
            if place is None:
                continue
            at = np.array([place])
            usual = self._habit.usual(at)[0]
            is_away = self._runs.nats[place] > _SUSPICIOUS_NATS
            if (is_away & self._is_far(at, usual)[0]).any():
                found.append(group)
        return found
