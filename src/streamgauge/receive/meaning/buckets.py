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
BUCKET = np.dtype([("family", "<u8"), ("upper", "<f8"), ("t", "<i8"), ("v", "<f8")])
"""A bucket's sample on disk."""


@dataclass(slots=True)
class Family:
    """One histogram."""

    last: dict[float, tuple[int, float]] = field(default_factory=dict)
    """Upper bound → the newest sample's time and value."""
    waiting: dict[int, dict[float, float]] = field(default_factory=dict)
    """Time → upper bound → value, of points that are not whole."""

    def copy(self) -> Family:
        """One of its own."""
        return Family(dict(self.last), {t: dict(one) for t, one in self.waiting.items()})

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

    def samples(self, key: int) -> list[tuple[int, float, int, float]]:
        """All of it as BUCKET."""
        kept = {(le, t): v for le, (t, v) in self.last.items()}
        kept |= {(le, t): v for t, told in self.waiting.items() for le, v in told.items()}
        return [(key, le, t, v) for (le, t), v in sorted(kept.items(), key=lambda one: one[0][1])]


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
        """Take in what a former process was told."""
        for key, upper, time_ns, value in samples.tolist():
            self.get(key).add(upper, time_ns, value)
