"""What one point of a histogram says, of either kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamgauge.receive.measured import Floats
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.known import Context, Known

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


class Buckets(NamedTuple):
    """Of an exponential histogram's point, on one side of zero."""

    offset: int = 0
    """Index of the first."""
    packed: bytes = b""
    """Their counts, as numbers of variable length."""
    size: int = 0
    """How many."""


class Scaled(NamedTuple):
    """What an exponential histogram's point has in place of cells; `scaled` makes them of it."""

    scale: int
    zero_count: int
    zero_threshold: float
    positive: Buckets
    negative: Buckets

    @property
    def size(self) -> int:
        """Cells at most."""
        return self.positive.size + self.negative.size + 1


NO_CELLS = Cells(np.zeros(0), np.zeros(0), np.zeros(0))


@dataclass(slots=True)
class HistogramPoint:
    """What a point says."""

    number: int
    """Of its series."""
    start_ns: int = 0
    time_ns: int = 0
    count: int = 0
    sum: float = math.nan
    has_value: bool = True
    """Off: its sender says that there is none."""
    cells: Cells = NO_CELLS
    scaled: Scaled | None = None
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
