"""The age of the oldest message that waits, where the broker does not tell it. Pure.

By position and time: of `in_total` messages that were ever put, `backlog` still wait; in a queue
that hands out what came first, the oldest of them is number `in_total - backlog + 1`. When
`in_total` reached that number, it was put. With the backlog alone there are bounds only: what waits
came after the queue was last seen empty. What came before the first look is not known.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from streamgauge.model.gatherer import AgeMethod, QueueReading

MAX_POINTS = 720
"""Looks remembered of a queue; of more, every second of the older half goes."""
KEPT_BEFORE_HEAD = 16
"""Looks kept from before the oldest message was put: messages may be given back."""
MAX_SPREAD_S = 30.0
"""Bounds without a position tell an age only while they are so near to each other."""


@dataclass(frozen=True, slots=True)
class Age:
    """Seconds; the true age lies within the bounds."""

    low_s: float
    high_s: float
    """May be infinite."""
    likely_s: float | None
    """None: it cannot be told."""


NO_BOUNDS = Age(0.0, math.inf, None)


@dataclass(slots=True)
class QueueHistory:
    """What was seen of one queue; times only go forward."""

    times: list[float] = field(default_factory=list)
    """Epoch seconds, ascending."""
    totals: list[float] = field(default_factory=list)
    """Messages ever put, at each of `times`; never falling."""
    empty_at: float | None = None
    """When it was last seen with nothing waiting."""

    def age(self, at: float, backlog: float, in_total: float | None) -> Age:
        """Take one look, and tell the age of the oldest message at it.

        Args:
            at: epoch seconds.
            backlog: messages that wait.
            in_total: messages ever put; None where the broker does not count them.
        """
        if in_total is not None:
            self.put(at, in_total)
        if backlog <= 0:
            self.empty_at = at
            self._forget_before(len(self.times) - 1)
            return Age(0.0, 0.0, 0.0)
        if in_total is None:
            return self._since_empty(at)
        return self._by_position(at, in_total - backlog + 1)

    def put(self, at: float, in_total: float) -> None:
        """Remember how many messages were ever put."""
        if self.totals and (in_total < self.totals[-1] or at < self.times[-1]):
            # Its counter began anew: numbers from before mean other messages.
            self.times, self.totals = [], []
        self.times.append(at)
        self.totals.append(in_total)
        if len(self.times) > MAX_POINTS:
            half = MAX_POINTS // 2
            del self.times[1:half:2], self.totals[1:half:2]

    def _by_position(self, at: float, head: float) -> Age:
        """`head` is the number of the oldest message that waits."""
        after = bisect_left(self.totals, head)
        if after == 0:
            return Age(at - self.times[0], math.inf, None)
        self._forget_before(after - 1)
        after = bisect_left(self.totals, head)
        low_at, high_at = self.times[after - 1], self.times[after]
        low, high = self.totals[after - 1], self.totals[after]
        put_at = low_at + (high_at - low_at) * (head - low) / (high - low)
        return Age(at - high_at, at - low_at, at - put_at)

    def _since_empty(self, at: float) -> Age:
        if self.empty_at is None:
            return NO_BOUNDS
        spread_s = at - self.empty_at
        return Age(0.0, spread_s, spread_s / 2 if spread_s <= MAX_SPREAD_S else None)

    def _forget_before(self, place: int) -> None:
        first = max(place - KEPT_BEFORE_HEAD, 0)
        del self.times[:first], self.totals[:first]


class Ages:
    """The histories of all queues of a collector."""

    def __init__(self) -> None:
        self._histories: dict[tuple[str, ...], QueueHistory] = {}

    def filled(self, readings: Iterable[QueueReading], now: float) -> list[QueueReading]:
        """The readings, with the ages that can be told where the broker told none.

        Args:
            readings: all of one look; queues that are not among them are forgotten.
            now: epoch seconds, for those without a time of their own.
        """
        before, self._histories = self._histories, {}
        return [self._filled(one, before, now) for one in readings]

    def _filled(
        self, reading: QueueReading, before: dict[tuple[str, ...], QueueHistory], now: float
    ) -> QueueReading:
        key = (reading.queue, reading.tenant, reading.integration, reading.pipeline)
        history = self._histories[key] = before.get(key) or QueueHistory()
        at, in_total = now if reading.at is None else reading.at, in_total_of(reading)
        if reading.problem or reading.backlog is None:
            if in_total is not None:
                history.put(at, in_total)
            return reading
        age = history.age(at, reading.backlog, in_total)
        if reading.oldest_age_s is not None or age.likely_s is None:
            return reading
        return replace(reading, oldest_age_s=age.likely_s, oldest_age_method=AgeMethod.POSITION)


def in_total_of(reading: QueueReading) -> float | None:
    """Messages ever put; by what left it and what is still there, where they are not counted."""
    if reading.in_total is not None or reading.out_total is None or reading.backlog is None:
        return reading.in_total
    return reading.out_total + reading.backlog + (reading.in_flight or 0.0)
