"""The histogram points of a body, laid side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamgauge.receive.measured import Histograms
from streamgauge.receive.otlp.cells import HistogramPoint
from streamgauge.receive.otlp.chosen import choose, known_starts
from streamgauge.receive.otlp.refused import Refused
from streamgauge.receive.otlp.scaled import lay_out


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
            self.cell_count += point.scaled.size if point.scaled else len(point.cells.weight)

    def gather(self, refused: Refused) -> Histograms:
        """Those that may be kept."""
        if not self.points:
            return Histograms()
        lay_out([point for point in self.points if point.scaled])
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
