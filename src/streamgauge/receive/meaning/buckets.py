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

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.shapes import Shape

GONE_AFTER_NS = 300_000_000_000
MAX_WAITING = 64
"""Points of one histogram that may wait for their other buckets; older ones are told by newer."""
MAX_FAMILIES = 100_000
BUCKET = np.dtype(
    [("family", "<u8"), ("upper", "<f8"), ("t", "<i8"), ("v", "<f8"), ("is_told", "u1")]
)
"""A bucket's sample on disk; told: the point that it belongs to has counted."""
Floats = NDArray[np.float64]
Sample = tuple[int, float, int, float, int]


@dataclass(frozen=True, slots=True)
class Level:
    """All buckets of a histogram at one time; they have counted."""

    time_ns: int
    upper: Floats
    """[n] ascending."""
    value: Floats
    """[n] what is at most that."""
    layout: bytes
    """The bounds, to be compared at once."""

    def shape(self) -> Shape:
        """As a histogram's point."""
        told = dict(zip(self.upper.tolist(), self.value.tolist(), strict=True))
        return _shape(self.time_ns, told)


@dataclass(slots=True)
class Family:
    """One histogram. While its buckets all come at once it is nothing but a level."""

    level: Level | None = None
    last: dict[float, tuple[int, float]] = field(default_factory=dict)
    """Upper bound → the newest sample's time and value."""
    waiting: dict[int, dict[float, float]] = field(default_factory=dict)
    """Time → upper bound → value, of points that are not whole."""

    def copy(self) -> Family:
        """One of its own."""
        if not self.last:
            return Family(self.level)
        waiting = {time: dict(one) for time, one in self.waiting.items()}
        return Family(self.level, dict(self.last), waiting)

    def follow(self, time_ns: int, upper: Floats, value: Floats) -> Floats | None:
        """By how much all buckets rose, if these are all there are, of a later time.

        Args:
            time_ns: of all of them.
            upper: [n] ascending.
            value: [n] what is at most that.

        Returns:
            [n] rising with the bounds; None: they must be put together one by one.
        """
        level = self.level
        if level is None or time_ns <= level.time_ns or level.layout != upper.tobytes():
            return None
        by = value - level.value
        if by.min() < 0:
            by = value
        if (by[1:] < by[:-1]).any():
            return None
        self.level = Level(time_ns, upper, value, level.layout)
        return by

    def loosen(self) -> Shape | None:
        """Be ready for buckets one by one; returns what has counted, if it is not elsewhere."""
        level, self.level = self.level, None
        if level is None:
            return None
        pairs = zip(level.upper.tolist(), level.value.tolist(), strict=True)
        self.last = {upper: (level.time_ns, value) for upper, value in pairs}
        return level.shape()

    def tighten(self) -> None:
        """Be a level again, if all buckets have counted up to one time."""
        times = {time for time, _ in self.last.values()}
        if self.waiting or len(times) != 1 or math.inf not in self.last:
            return
        upper = np.array(sorted(self.last))
        value = np.array([self.last[one][1] for one in upper.tolist()])
        if (value[1:] >= value[:-1]).all():
            self.level = Level(times.pop(), upper, value, upper.tobytes())
            self.last = {}

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
        if self.level is not None:
            pairs = zip(self.level.upper.tolist(), self.level.value.tolist(), strict=True)
            return [(key, upper, self.level.time_ns, value, 1) for upper, value in pairs]
        kept = {(le, t): v for le, (t, v) in self.last.items()}
        kept |= {(le, t): v for t, told in self.waiting.items() for le, v in told.items()}
        return [
            (key, le, t, v, 0) for (le, t), v in sorted(kept.items(), key=lambda one: one[0][1])
        ]


def _shape(time_ns: int, told: dict[float, float]) -> Shape:
    """Cells out of what is at most each bound."""
    upper: NDArray[np.float64] = np.array(sorted(told))
    rising = np.maximum.accumulate(np.array([told[le] for le in upper.tolist()]))
    lower = np.concatenate([[-math.inf], upper[:-1]])
    return Shape(time_ns, math.nan, lower, upper, np.diff(rising, prepend=0.0))


class Families:
    """Classic histograms by the hash of their name and labels. Not thread-safe."""

    def __init__(self, max_families: int = MAX_FAMILIES) -> None:
        self._max_families = max_families
        self._families: dict[int, Family] = {}

    def __len__(self) -> int:
        return len(self._families)

    def get(self, key: int) -> Family:
        """The one of that key, made when it is missing; it is now the one used last."""
        family = self._families.pop(key, None) or Family()
        self._families[key] = family
        if len(self._families) > self._max_families:
            for old in list(self._families)[: self._max_families // 2]:
                del self._families[old]
        return family

    def put(self, key: int, family: Family) -> None:
        """Let it be that one."""
        self._families[key] = family

    def dump(self) -> NDArray[np.void]:
        """All samples that matter, BUCKET."""
        rows = [row for key, one in self._families.items() for row in one.samples(key)]
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
            upper = np.array(sorted(values))
            value = np.array([values[one] for one in upper.tolist()])
            self.put(key, Family(Level(time_ns, upper, value, upper.tobytes())))
        for key, bound, time_ns, one in loose:
            self.get(key).loosen()
            self.get(key).add(bound, time_ns, one)
