"""The histogram points of a body, laid side by side."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamgauge.model.errors import PayloadError
from streamgauge.receive.measured import Histograms
from streamgauge.receive.otlp.blocks import Block
from streamgauge.receive.otlp.cells import MAX_POINT_BYTES, HistogramPoint, Read
from streamgauge.receive.otlp.chosen import choose, known_starts
from streamgauge.receive.otlp.data import Placed, Places
from streamgauge.receive.otlp.histograms import Usual, read_any
from streamgauge.receive.otlp.known import Context, Known
from streamgauge.receive.otlp.points import Offsets
from streamgauge.receive.otlp.refused import Refused
from streamgauge.receive.otlp.scaled import lay_out

MAX_CELLS = 2_000_000
"""Buckets of one body."""
_FEW = 12
"""So many points are read one by one: sooner than by arrays."""


@dataclass(slots=True)
class HistogramPoints:
    """Of a body."""

    places: Places = field(default_factory=Places)
    """Of those with bounds."""
    points: list[HistogramPoint] = field(default_factory=list)
    """Those that were read one by one."""
    ordinals: list[int] = field(default_factory=list)
    cell_count: int = 0

    def add(
        self,
        read: Read,
        body: bytes,
        place: tuple[int, int],
        context: Context,
        known: Known,
        ordinal: int,
    ) -> None:
        """Read one more, unless it says that there is nothing to say.

        Raises:
            PayloadError: it cannot be read, or there are too many buckets.
        """
        size = place[1] - place[0]
        if size > MAX_POINT_BYTES:
            reason = f"it has {size:,} bytes, limit {MAX_POINT_BYTES:,}"
            point = HistogramPoint(known.refusing(context, reason))
        else:
            point = read(body, *place, context, known)
        if point.has_value:
            self.points.append(point)
            self.ordinals.append(ordinal)
            self._count(point.scaled.size if point.scaled else len(point.cells.weight))

    def read(self, body: bytes, known: Known, refused: Refused) -> Histograms:
        """Those that may be kept, in the order of the body.

        Raises:
            PayloadError: one cannot be read, or there are too many buckets.
        """
        block = self._with_bounds(body, known)
        if self.points:
            lay_out([point for point in self.points if point.scaled])
            one_by_one = Block.of(self.points, self.ordinals)
            block = block.merged(one_by_one) if block else one_by_one
        if block is None:
            return Histograms()
        return self._kept(block, known, refused)

    def _with_bounds(self, body: bytes, known: Known) -> Block | None:
        """Those of the usual shape; others are added to those that are read one by one."""
        if not self.places.stretches:
            return None
        placed = self.places.placed()
        if len(placed.of) <= _FEW:
            self._add_any(body, placed, known, np.arange(len(placed.of)))
            return None
        usual = Usual(body, placed, known)
        self._count(usual.cell_count)
        self._add_any(body, placed, known, usual.others)
        return usual.block()

    def _add_any(self, body: bytes, placed: Placed, known: Known, positions: Offsets) -> None:
        for at in positions.tolist():
            place = int(placed.starts[at]), int(placed.stops[at])
            ordinal = int(placed.ordinals[at])
            self.add(read_any, body, place, placed.context(at), known, ordinal)

    def _count(self, cell_count: int) -> None:
        self.cell_count += cell_count
        if self.cell_count > MAX_CELLS:
            raise PayloadError(f"more than {MAX_CELLS:,} buckets in one request: send fewer")

    def _kept(self, block: Block, known: Known, refused: Refused) -> Histograms:
        held, is_bad = block.held(), np.zeros(len(block.size), bool)
        wrong = {
            ordinal: point.wrong
            for ordinal, point in zip(self.ordinals, self.points, strict=True)
            if point.wrong
        }
        if wrong:
            is_bad = np.isin(block.ordinal, list(wrong))

        def why(at: int) -> str:
            told = wrong.get(int(block.ordinal[at]))
            return (
                told or f"its count is {block.count[at]:.0f}, and its buckets hold {held[at]:.0f}"
            )

        chosen = choose(
            block.number,
            known,
            block.ordinal,
            block.time_ns,
            refused,
            (held != block.count) | is_bad,
            why,
        )
        if not len(chosen.at):
            return Histograms()
        kept = block if len(chosen.at) == len(block.size) else block.take(chosen.at)
        return Histograms(
            series=known.roster,
            of=chosen.of,
            time_ns=kept.time_ns.astype(np.int64),
            start_ns=known_starts(kept.start_ns, kept.time_ns),
            count=kept.count,
            sum=kept.sum,
            cells=np.concatenate(([0], np.cumsum(kept.size))).astype(np.int64),
            lower=kept.lower,
            upper=kept.upper,
            weight=kept.weight,
        )
