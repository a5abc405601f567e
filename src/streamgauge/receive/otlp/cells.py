"""Points of histograms of either kind: read one by one, then laid side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamgauge.receive.measured import Floats, Histograms, Series
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.chosen import choose, known_starts
from streamgauge.receive.otlp.known import Context, Known, Unkept
from streamgauge.receive.otlp.refused import Refused

MAX_CELLS = 10_000
"""Buckets of one point; SDKs have 160 at most unless they are told otherwise."""
MAX_POINT_BYTES = 1_048_576
NO_RECORDED_VALUE = 1
"""Source: metrics.proto, DataPointFlags."""


class Cells(NamedTuple):
    """Of one point; arrays are [n_cells]."""

    lower: Floats
    upper: Floats
    weight: Floats


NO_CELLS = Cells(np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(slots=True)
class HistogramPoint:
    """What a point says."""

    series: Series | Unkept
    start_ns: int = 0
    time_ns: int = 0
    count: int = 0
    sum: float = math.nan
    has_value: bool = True
    """Off: its sender says that there is none."""
    cells: Cells = NO_CELLS
    wrong: str = ""
    """Why it cannot be kept; empty: it can."""

    def take(
        self, body: bytes, last: Mapping[int, int], start: int, time: int, count: int, total: int
    ) -> None:
        """What has eight bytes, by the tags of its kind; `last` says where each stands."""
        if start in last:
            self.start_ns = wire.unsigned(body, last[start])
        if time in last:
            self.time_ns = wire.unsigned(body, last[time])
        if count in last:
            self.count = wire.unsigned(body, last[count])
        if total in last:
            self.sum = wire.double(body, last[total])


Read = Callable[[bytes, int, int, Context, Known], HistogramPoint]


@dataclass(slots=True)
class HistogramPoints:
    """Of a body, in its order."""

    points: list[HistogramPoint] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    cell_count: int = 0

    def add(self, point: HistogramPoint, ordinal: int) -> None:
        """One more, unless it says that there is nothing to say."""
        if point.has_value:
            self.points.append(point)
            self.ordinals.append(ordinal)
            self.cell_count += len(point.cells.weight)

    def gather(self, refused: Refused) -> Histograms:
        """Those that may be kept."""
        if not self.points:
            return Histograms()
        time_ns = np.array([point.time_ns for point in self.points], np.uint64)
        count = np.array([point.count for point in self.points], np.float64)
        sizes = np.array([len(point.cells.weight) for point in self.points])
        weight = np.concatenate([point.cells.weight for point in self.points])
        held = np.bincount(np.repeat(np.arange(len(sizes)), sizes), weight, len(sizes))

        def why(at: int) -> str:
            told = self.points[at].wrong
            return told or f"its count is {count[at]:.0f}, and its buckets hold {held[at]:.0f}"

        chosen = choose(
            [point.series for point in self.points],
            np.array(self.ordinals),
            time_ns,
            refused,
            (held != count) | np.array([bool(point.wrong) for point in self.points]),
            why,
        )
        if not len(chosen.at):
            return Histograms()
        kept = [self.points[at] for at in chosen.at.tolist()]
        start_ns = np.array([point.start_ns for point in kept], np.uint64)
        return Histograms(
            series=chosen.series,
            of=chosen.of,
            time_ns=time_ns[chosen.at].astype(np.int64),
            start_ns=known_starts(start_ns, time_ns[chosen.at]),
            count=count[chosen.at],
            sum=np.array([point.sum for point in kept], np.float64),
            cells=np.concatenate(([0], np.cumsum(sizes[chosen.at]))).astype(np.int64),
            lower=np.concatenate([point.cells.lower for point in kept]),
            upper=np.concatenate([point.cells.upper for point in kept]),
            weight=np.concatenate([point.cells.weight for point in kept]),
        )
