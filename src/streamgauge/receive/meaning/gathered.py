"""Gathers rows of messages and durations, and remembers whose they are: some may be refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.cells import middles, middles_by_sum
from streamgauge.receive.meaning.leveled import Leveled
from streamgauge.receive.meaning.samples import Floats, Ints, Risen, Samples
from streamgauge.receive.meaning.shapes import Shape
from streamgauge.receive.meaning.tables import Counted

NOBODY = -1
"""Stands for a row that no counter, or no histogram, told."""


@dataclass(slots=True)
class Gathered:
    """Rows that are being gathered, and what is not moved on where they are refused."""

    parts: list[Counted] = field(default_factory=list)
    slots: list[Ints] = field(default_factory=list)
    """[n_rows] of the counter that told it, or -1."""
    shapes: list[Ints] = field(default_factory=list)
    """[n_rows] number of the histogram in `keys`, or -1."""
    keys: list[int] = field(default_factory=list)
    _cells: list[tuple[int, Shape, Floats, int, bool]] = field(default_factory=list)

    def add_counts(
        self, is_bytes: NDArray[np.bool_], samples: Samples, by: Floats, slots: Ints
    ) -> None:
        """What counters add; nothing where they did not rise."""
        up = by > 0
        by, is_bytes = by[up], is_bytes[up]
        none = np.full(len(by), np.nan)
        count, size = np.where(is_bytes, 0.0, by), np.where(is_bytes, by, 0.0)
        rows, times = samples.rows[up], samples.time_ns[up]
        self.parts.append(Counted(rows, times, count, size, none, none))
        self.slots.append(slots[up])
        self.shapes.append(np.full(len(by), NOBODY))

    def add_singles(self, samples: Samples, seconds: Floats, is_wait: NDArray[np.bool_]) -> None:
        """One duration each."""
        size = len(seconds)
        self.parts.append(
            Counted(
                samples.rows,
                samples.time_ns,
                np.ones(size),
                np.zeros(size),
                np.where(is_wait, np.nan, seconds),
                np.where(is_wait, seconds, np.nan),
            )
        )
        self.slots.append(np.full(size, NOBODY))
        self.shapes.append(np.full(size, NOBODY))

    def add_cells(self, row: int, shape: Shape, by: Floats, key: int, *, is_wait: bool) -> None:
        """What a histogram adds."""
        if len(by):
            self._cells.append((row, shape, by, key, is_wait))

    def flush(self) -> None:
        """Make rows of the histograms that were added."""
        told, self._cells = self._cells, []
        if not told:
            return
        self.add_risen(
            Risen(
                np.array([row for row, *_ in told], np.int32),
                np.array([shape.time_ns for _, shape, *_ in told], np.int64),
                [key for _, _, _, key, _ in told],
                np.array([shape.sum for _, shape, *_ in told]),
                np.array([len(by) for _, _, by, _, _ in told]),
                np.concatenate([shape.lower for _, shape, *_ in told]),
                np.concatenate([shape.upper for _, shape, *_ in told]),
                np.concatenate([by for _, _, by, _, _ in told]),
                np.array([is_wait for *_, is_wait in told]),
            )
        )

    def add_risen(self, risen: Risen) -> None:
        """What many histograms add."""
        if not len(risen.rows):
            return
        starts = np.cumsum(risen.sizes) - risen.sizes
        values = middles_by_sum(risen.lower, risen.upper, risen.by, starts, risen.sum)
        full = np.flatnonzero(risen.by > 0)
        of = np.repeat(np.arange(len(risen.rows)), risen.sizes)[full]
        waits, seconds = risen.is_wait[of], values[full]
        self.parts.append(
            Counted(
                risen.rows[of],
                risen.time_ns[of],
                np.rint(risen.by[full]),
                np.zeros(len(full)),
                np.where(waits, np.nan, seconds),
                np.where(waits, seconds, np.nan),
            )
        )
        self.slots.append(np.full(len(full), NOBODY))
        self.shapes.append(of + len(self.keys))
        self.keys.extend(risen.keys)

    def add_levels(self, level: Leveled) -> None:
        """What classic histograms add."""
        starts = np.cumsum(level.sizes) - level.sizes
        lower, by = np.empty_like(level.upper), level.by.copy()
        lower[1:], by[1:] = level.upper[:-1], level.by[1:] - level.by[:-1]
        lower[starts], by[starts] = -np.inf, level.by[starts]
        full = np.flatnonzero(by > 0)
        of = np.repeat(np.arange(len(level.rows)), level.sizes)[full]
        seconds = middles(lower[full], level.upper[full])
        waits = level.is_wait[of]
        self.parts.append(
            Counted(
                level.rows[of],
                level.time_ns[of],
                np.rint(by[full]),
                np.zeros(len(full)),
                np.where(waits, np.nan, seconds),
                np.where(waits, seconds, np.nan),
            )
        )
        self.slots.append(np.full(len(full), NOBODY))
        self.shapes.append(of + len(self.keys))
        self.keys.extend(level.keys.tolist())

    def counted(self) -> Counted:
        """All of it."""
        self.flush()
        if len(self.parts) == 1:
            return self.parts[0]
        return Counted(
            np.concatenate([np.zeros(0, np.int32), *(one.rows for one in self.parts)]),
            np.concatenate([np.zeros(0, np.int64), *(one.time_ns for one in self.parts)]),
            *(
                np.concatenate([np.zeros(0), *(getattr(one, name) for one in self.parts)])
                for name in ("count", "bytes", "latency_s", "queue_s")
            ),
        )

    def owners(self, is_refused: NDArray[np.bool_]) -> tuple[Ints, set[int]]:
        """Counters and histograms that told these rows [n_rows]."""
        slots = np.concatenate([np.zeros(0, np.int64), *self.slots])[is_refused]
        shapes = np.concatenate([np.zeros(0, np.int64), *self.shapes])[is_refused]
        told = np.unique(shapes[shapes != NOBODY]).tolist()
        return np.unique(slots[slots != NOBODY]), {self.keys[one] for one in told}
