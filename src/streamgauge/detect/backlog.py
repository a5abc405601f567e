"""Whether a queue holds more, or older, messages than it usually does.

Per queue, over the minutes in which it was reported (a queue that is not reported is unknown, not
empty):

- *old*: the oldest message's age is over max(60 s, 1.5 x the age that 99.5 of 100 minutes stay
  under), in two reports in a row;
- *growing*: backlog far above usual (99.5 of 100 minutes) and rising for minutes (Theil-Sen slope);
- *abandoned*: consumers fell to none while messages wait and do not get fewer.

Closes when age and backlog are back inside their habit for two minutes. Habits are histograms of
one bucket per half octave, learned only while nothing is open.

Source: Theil-Sen slope, Sen, JASA 63 (1968).
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from streamgauge.detect.backlog_fold import BacklogFold
from streamgauge.detect.backlog_words import backlog_finding, backlog_key, scope_of
from streamgauge.detect.capacity_seen import QueueCapacity
from streamgauge.detect.queue_seen import FIELDS, Queue, usual_age_s, usual_backlog
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope

_TAGS = ["queue", "pipeline", "integration", "tenant"]
_AGE_FLOOR_S = 60.0
_BACKLOG_FLOOR = 100.0
_FAR = 1.5
_GROWING_MINUTES = 5
_TREND_REPORTS = 10
_LEARN_AFTER_MINUTES = 30
"""What may be the beginning of an incident is not habit yet."""
_YOUNG_MINUTES = 30
"""A queue seen for less has no habit: only an age over ten floors counts."""


class Backlogs:
    """All queues."""

    def __init__(self) -> None:
        self.ended: dict[str, str] = {}
        self._queues: dict[tuple[str, str, str, str], Queue] = {}
        self.version = 0
        """Grows with everything added."""
        self._newest_minute = -1
        self._fold = BacklogFold()

    def grown(self, scope: Scope, since_hour: int) -> tuple[float, float]:
        """Messages that went into, and came out of, the queues of a scope since an hour began."""
        steps = [
            queue.week.grown(since_hour)
            for queue in self._queues.values()
            if _concerns(queue.tags, scope)
        ]
        return sum(max(step, 0.0) for step in steps), sum(max(-step, 0.0) for step in steps)

    def capacities(self) -> list[tuple[tuple[str, str, str, str], QueueCapacity]]:
        """What each queue could take, by its tags."""
        return [(queue.tags, queue.capacity) for queue in self._queues.values()]

    def observe(self, table: pa.Table) -> None:
        """Add rows of QUEUES_COLUMNS."""
        if not table.num_rows:
            return
        self.version += 1
        frame = pl.DataFrame(table).with_columns(
            pl.col(_TAGS).cast(pl.String), pl.col(FIELDS).cast(pl.Float64).fill_null(np.nan)
        )
        for key, part in frame.sort("last_ns").group_by(_TAGS, maintain_order=True):
            tags = (str(key[0]), str(key[1]), str(key[2]), str(key[3]))
            queue = self._queues.setdefault(tags, Queue(tags))
            values = part.select(FIELDS).to_numpy()
            self._newest_minute = max(self._newest_minute, int(str(part["minute"].max())))
            for minute, row in zip(part["minute"].to_list(), values, strict=True):
                queue.put(int(minute), np.where(np.isfinite(row), row, np.nan))

    def restore(self, since_by_key: dict[str, float]) -> None:
        """Hold open what was open before a restart."""
        for queue in self._queues.values():
            since = since_by_key.get(backlog_key(queue.tags))
            if since is not None:
                queue.open_since, queue.why = since, queue.why or "old"
        self._fold.restore(since_by_key)

    def judge(self, watermark: float, now: float, is_blind: bool) -> list[Finding]:
        """The findings that hold; while blind nothing opens or closes.

        Queues that collectors go on to see are no less seen when nobody else is heard any more.
        """
        self.ended = {}
        found = []
        minute = max(int(watermark // 60), min(self._newest_minute, int(now // 60)))
        is_blind = is_blind and minute <= watermark // 60
        for queue in self._queues.values():
            # Of a queue with nothing open, the same reports tell the same.
            if not is_blind and queue.minutes and (queue.is_fresh or queue.open_since is not None):
                queue.is_fresh = False
                self._turn(queue, minute)
            if queue.open_since is not None and queue.minutes:
                # Its last words are of the trouble, not of its end.
                if queue.good_minutes == 0 or queue.told is None:
                    queue.told = self._finding(queue, now)
                found.append(queue.told)
        return self._fold.findings(found)

    def _turn(self, queue: Queue, minute: int) -> None:
        if queue.minutes[-1] < minute - 10:
            return  # unknown: neither opens nor closes
        queue.measure()
        queue.learn(queue.minutes[-1] - _LEARN_AFTER_MINUTES)
        why = self._why(queue)
        if queue.open_since is None:
            if why:
                queue.open_since, queue.why = self._since(queue, why), why
                queue.good_minutes = 0
            return
        if queue.judged_minute != queue.minutes[-1]:
            queue.judged_minute = queue.minutes[-1]
            queue.good_minutes = queue.good_minutes + 1 if self._is_usual(queue) else 0
        if queue.good_minutes >= 2:
            queue.open_since = queue.told = None
            self.ended[backlog_key(queue.tags)] = "age and backlog are back to usual"

    def _why(self, queue: Queue) -> str:
        """Which of the three rules holds; empty if none."""
        if len(queue.minutes) < 2 or _is_small(queue):
            return ""
        if (queue.column("oldest_age_s", 2) > self.age_limit_s(queue)).all():
            return "old"
        backlog = queue.column("backlog", _GROWING_MINUTES)
        consumers = queue.column("consumers", 2)
        steady = len(backlog) >= 3 and np.isfinite(backlog).all()
        if steady and (consumers == 0.0).all() and backlog[-1] > max(backlog[0], 0.0):
            return "abandoned"
        if (
            len(backlog) == _GROWING_MINUTES
            and steady
            and (backlog > self.backlog_limit(queue)).all()
            and queue.trend_per_s(_GROWING_MINUTES) > 0.0
        ):
            return "growing"
        return ""

    def _since(self, queue: Queue, why: str) -> float:
        age = queue.column("oldest_age_s", 1)[0]
        end = 60.0 * queue.minutes[-1]
        if why == "old" and np.isfinite(age):
            return end - min(float(age), 86_400.0)
        return 60.0 * queue.minutes[-min(_GROWING_MINUTES, len(queue.minutes))]

    def _is_usual(self, queue: Queue) -> bool:
        age, backlog = queue.column("oldest_age_s", 1)[0], queue.column("backlog", 1)[0]
        age_good = not np.isfinite(age) or age <= self.age_limit_s(queue)
        backlog_good = not np.isfinite(backlog) or backlog <= self.backlog_limit(queue)
        return bool(age_good and backlog_good)

    def age_limit_s(self, queue: Queue) -> float:
        """The age that is not usual any more."""
        if queue.ages.sum() < _YOUNG_MINUTES:
            return 10.0 * _AGE_FLOOR_S
        return max(_AGE_FLOOR_S, _FAR * usual_age_s(queue))

    def backlog_limit(self, queue: Queue) -> float:
        """The backlog that is not usual any more; infinite without a habit."""
        if queue.backlogs.sum() < _YOUNG_MINUTES:
            return np.inf
        return max(_BACKLOG_FLOOR, 2.0 * _FAR * usual_backlog(queue))

    def _finding(self, queue: Queue, now: float) -> Finding:
        backlog = queue.column("backlog", _GROWING_MINUTES)
        return backlog_finding(
            queue.tags,
            queue.why,
            queue.open_since or now,
            now,
            age_s=float(queue.column("oldest_age_s", 1)[0]),
            usual_age_s=usual_age_s(queue) if queue.ages.sum() else None,
            backlog=float(backlog[-1]),
            usual_backlog=usual_backlog(queue) if queue.backlogs.sum() else None,
            slope_per_s=queue.trend_per_s(_TREND_REPORTS),
            rates=queue.rates(),
            consumers=float(queue.column("consumers", 1)[0]),
            load=queue.week.load,
        )


def _concerns(tags: tuple[str, str, str, str], scope: Scope) -> bool:
    """Whether messages of a scope may wait in a queue."""
    return all(
        mine is None or theirs is None or mine == theirs
        for mine, theirs in zip(scope_of(tags), scope, strict=True)
    )


def _is_small(queue: Queue) -> bool:
    """Whether none of the rules can hold, which is so nearly always."""
    newest = queue.values[-1]
    return bool(newest[1] <= _AGE_FLOOR_S and newest[0] <= _BACKLOG_FLOOR and newest[4] > 0.0)
