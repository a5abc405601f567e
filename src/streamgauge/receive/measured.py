"""What a body of metrics says, before anybody knows what it means: numbers and histograms.

Decoders of OTLP, Prometheus remote write and scraped text make it; `meaning` turns it into columns.
Arrays are over all points of a body; what is the same for a whole series is said once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import overload

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


class Form(IntEnum):
    """How the numbers of a series are to be read."""

    GAUGE = 0
    """Each is the state at its instant; the last one holds."""
    DELTA = 1
    """Each is what came since the one before; they add up."""
    CUMULATIVE = 2
    """Each is what came since `start_ns`; the difference of two is what came between them."""


@dataclass(frozen=True, slots=True)
class Series:
    """Of one name and one set of labels, as its sender tells it."""

    name: str
    labels: tuple[tuple[str, str], ...]
    """Sorted by name; none of them is the metric's name, none is empty."""
    form: Form = Form.GAUGE
    unit: str = ""
    """As UCUM writes it (`s`, `ms`, `By`, `{message}`), where the format has units."""


class Roster(Sequence[Series]):
    """Series that a decoder remembers from body to body.

    It only grows, and what is known of a place holds as long as the roster lives: so a body need
    not name its series one by one, and those who read it need not look them up again.
    """

    def __init__(self) -> None:
        self._series: list[Series] = []

    def __len__(self) -> int:
        return len(self._series)

    @overload
    def __getitem__(self, at: int) -> Series: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Series]: ...
    def __getitem__(self, at: int | slice) -> Series | Sequence[Series]:
        return self._series[at]

    def add(self, series: Series) -> int:
        """One more; its place. Not thread-safe."""
        self._series.append(series)
        return len(self._series) - 1


@dataclass(frozen=True, slots=True)
class Numbers:
    """Points with one number each; arrays are [n_points]."""

    series: Sequence[Series] = field(default_factory=list)
    """Those of a body, or a `Roster` that has them."""
    of: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    """Index into `series`."""
    time_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    start_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """When a cumulative series began to count; 0: not told."""
    value: Floats = field(default_factory=lambda: np.zeros(0))
    """Never a marker of staleness: decoders leave those out."""
    ended: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    """[n_ended] index into `series` of those whose sender says that they go no further."""
    ended_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """[n_ended] from when on."""


@dataclass(frozen=True, slots=True)
class Histograms:
    """Points with counts by bucket; a point's cells stand side by side."""

    series: Sequence[Series] = field(default_factory=list)
    """Those of a body, or a `Roster` that has them."""
    of: Codes = field(default_factory=lambda: np.zeros(0, np.int32))
    """[n_points] index into `series`."""
    time_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    start_ns: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    count: Floats = field(default_factory=lambda: np.zeros(0))
    """[n_points] of all cells together."""
    sum: Floats = field(default_factory=lambda: np.zeros(0))
    """[n_points] in the series' unit; NaN: not told."""
    cells: Ints = field(default_factory=lambda: np.zeros(1, np.int64))
    """[n_points + 1] where each point's cells begin and end."""
    lower: Floats = field(default_factory=lambda: np.zeros(0))
    """[n_cells] in the series' unit; a value in a cell is above it."""
    upper: Floats = field(default_factory=lambda: np.zeros(0))
    """[n_cells] and at most this; may be infinite."""
    weight: Floats = field(default_factory=lambda: np.zeros(0))
    """[n_cells] values in this cell alone; over time they are as the series' form says."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All of a body."""

    numbers: Numbers = field(default_factory=Numbers)
    histograms: Histograms = field(default_factory=Histograms)

    @property
    def point_count(self) -> int:
        """Of both kinds."""
        return len(self.numbers.of) + len(self.histograms.of)
