"""Puts the series of a classic histogram together again: one for each `le`, maybe in many bodies.

A histogram's point is whole once each of its known buckets has a sample of that time, or a later
one: then it stands for itself. A bucket that has been quiet for five minutes while others went on
is gone and not waited for.

Source: https://prometheus.io/docs/concepts/metric_types/#histogram; five minutes is after what
time Prometheus takes a series for stale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.levels import Before, Bools, Floats, Groups, Ints, Levels
from streamgauge.receive.meaning.shapes import Shape

GONE_AFTER_NS = 300_000_000_000
MAX_WAITING = 64
"""Points of one histogram that may wait for their other buckets; older ones are told by newer."""
MAX_FAMILIES = 100_000
BUCKET = np.dtype(
    [("family", "<u8"), ("upper", "<f8"), ("t", "<i8"), ("v", "<f8"), ("is_told", "u1")]
)
"""A bucket's sample on disk; told: the point that it belongs to has counted."""
Sample = tuple[int, float, int, float, int]


@dataclass(slots=True)
class Family:
    """One histogram whose buckets come one by one."""

    last: dict[float, tuple[int, float]] = field(default_factory=dict)
    """Upper bound → the newest sample's time and value."""
    waiting: dict[int, dict[float, float]] = field(default_factory=dict)
    """Time → upper bound → value, of points that are not whole."""
    number: int = -1
    """Of the level that it was."""

    def copy(self) -> Family:
        """One of its own."""
        waiting = {time: dict(one) for time, one in self.waiting.items()}
        return Family(dict(self.last), waiting, self.number)

    def level(self) -> tuple[int, Floats, Floats] | None:
        """Time, bounds and values, if all buckets have counted up to one time."""
        times = {time for time, _ in self.last.values()}
        if self.waiting or len(times) != 1 or math.inf not in self.last:
            return None
        upper = np.array(sorted(self.last))
        value = np.array([self.last[one][1] for one in upper.tolist()])
        return (times.pop(), upper, value) if (value[1:] >= value[:-1]).all() else None

    def add(self, upper: float, time_ns: int, value: float) -> None:
        """Take a sample in."""
        if time_ns >= self.last.get(upper, (-1, 0.0))[0]:
            self.last[upper] = time_ns, value
        self.waiting.setdefault(time_ns, {})[upper] = value
        if len(self.waiting) > MAX_WAITING:
            del self.waiting[min(self.waiting)]

    def whole(self, after_ns: int) -> list[Shape]:
        """The points later than `after_ns` that are whole, in order; they wait no longer."""
        newest = max((time for time, _ in self.last.values()), default=0)
        live = {le: t for le, (t, _) in self.last.items() if t >= newest - GONE_AFTER_NS}
        if math.inf not in live:
            return []
        found = []
        for time_ns in sorted(self.waiting):
            told = self.waiting[time_ns]
            if any(t < time_ns for le, t in live.items() if le not in told):
                break
            del self.waiting[time_ns]
            if time_ns > after_ns and math.inf in told:
                found.append(_shape(time_ns, told))
        for time_ns in [t for t in self.waiting if t <= after_ns]:
            del self.waiting[time_ns]
        return found

    def samples(self, key: int) -> list[Sample]:
        """All of it as BUCKET."""
        kept = {(le, t): v for le, (t, v) in self.last.items()}
        kept |= {(le, t): v for t, told in self.waiting.items() for le, v in told.items()}
        rows = sorted(kept.items(), key=lambda one: one[0][1])
        return [(key, le, t, v, 0) for (le, t), v in rows]


def _shape(time_ns: int, told: dict[float, float]) -> Shape:
    """Cells out of what is at most each bound."""
    upper: NDArray[np.float64] = np.array(sorted(told))
    rising = np.maximum.accumulate(np.array([told[le] for le in upper.tolist()]))
    lower = np.concatenate([[-math.inf], upper[:-1]])
    return Shape(time_ns, math.nan, lower, upper, np.diff(rising, prepend=0.0))


Kept = tuple[Family | None, int]
"""A histogram as it was: in pieces, or the number of its level; -1: it was none."""


class Families:
    """Classic histograms by the hash of their name and labels. Not thread-safe."""

    def __init__(self, max_families: int = MAX_FAMILIES) -> None:
        self._max_families = max_families
        self._loose: dict[int, Family] = {}
        self._numbers: dict[int, int] = {}
        self._turn = 0
        self.levels = Levels()

    def __len__(self) -> int:
        return len(self._loose) + len(self._numbers)

    def make_room(self) -> None:
        """Forget the half that was told longest ago, if there are too many."""
        self._turn += 1
        for old in list(self._loose)[: len(self._loose) - self._max_families]:
            del self._loose[old]
        if len(self._numbers) > self._max_families:
            used = self.levels.used
            newest = sorted(self._numbers.items(), key=lambda pair: -int(used[pair[1]]))
            kept = [(key, *self.levels.level(n)) for key, n in newest[: self._max_families // 2]]
            self._numbers, self.levels = {}, Levels()
            for key, time_ns, upper, value in kept:
                self._put_level(key, time_ns, upper, value)

    def numbers(self, keys: list[int]) -> Ints:
        """The level of each histogram; -1: it is none."""
        return np.array(list(map(self._numbers.get, keys, repeat(-1))), np.int64)

    def follow(self, numbers: Ints, groups: Groups) -> tuple[Bools, Floats, Before]:
        """See `Levels.follow`."""
        return self.levels.follow(numbers, groups, self._turn)

    def kept(self, key: int) -> Kept:
        """As it is now, for `put_back`."""
        family = self._loose.get(key)
        return (family.copy() if family else None), self._numbers.get(key, -1)

    def put_back(self, key: int, kept: Kept) -> None:
        """Let it be what it was."""
        family, number = kept
        self._loose.pop(key, None)
        self._numbers.pop(key, None)
        if family is not None:
            self._loose[key] = family
        if number >= 0:
            self._numbers[key] = number

    def loosen(self, key: int) -> Shape | None:
        """Be ready for its buckets one by one; returns what it had counted as a level."""
        number = self._numbers.pop(key, -1)
        if number < 0:
            return None
        time_ns, upper, value = self.levels.level(number)
        last = dict(zip(upper.tolist(), ((time_ns, one) for one in value.tolist()), strict=True))
        self._loose[key] = Family(last, number=number)
        return _shape(time_ns, {bound: one for bound, (_, one) in last.items()})

    def loose(self, key: int) -> Family:
        """One that is no level, made when it is missing; it is now the one used last."""
        family = self._loose.pop(key, None) or Family()
        self._loose[key] = family
        return family

    def tighten(self, key: int) -> Before | None:
        """Let it be a level, if it can; returns where that level stood, if it was there."""
        family = self._loose[key]
        level = family.level()
        if level is None:
            return None
        del self._loose[key]
        return self._put_level(key, *level, family.number)

    def _put_level(
        self, key: int, time_ns: int, upper: Floats, value: Floats, number: int = -1
    ) -> Before:
        if number < 0 or not self.levels.has_bounds(number, upper):
            number = self.levels.add(upper)
        self._numbers[key] = number
        self.levels.used[number] = self._turn
        return self.levels.put(number, time_ns, value)

    def dump(self) -> NDArray[np.void]:
        """All samples that matter, BUCKET."""
        rows = [row for key, one in self._loose.items() for row in one.samples(key)]
        for key, number in self._numbers.items():
            time_ns, upper, value = self.levels.level(number)
            pairs = zip(upper.tolist(), value.tolist(), strict=True)
            rows += [(key, bound, time_ns, one, 1) for bound, one in pairs]
        return np.array(rows, BUCKET)

    def restore(self, samples: NDArray[np.void]) -> None:
        """Take in what a former process was told, in its order."""
        told: dict[tuple[int, int], dict[float, float]] = {}
        loose: list[tuple[int, float, int, float]] = []
        for key, upper, time_ns, value, is_told in samples.tolist():
            if is_told:
                told.setdefault((key, time_ns), {})[upper] = value
            else:
                loose.append((key, upper, time_ns, value))
        for (key, time_ns), values in told.items():
            bounds = np.array(sorted(values))
            value = np.array([values[one] for one in bounds.tolist()])
            self._loose.pop(key, None)
            self._put_level(key, time_ns, bounds, value, self._numbers.get(key, -1))
        for key, bound, time_ns, one in loose:
            self.loosen(key)
            self.loose(key).add(bound, time_ns, one)
