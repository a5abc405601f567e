"""Points of a body that may add to messages, as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.shapes import Shape
from streamgauge.receive.meaning.shelf import Rows

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Samples:
    """Points with one number; arrays are [n]."""

    rows: Rows
    time_ns: Ints
    start_ns: Ints
    value: Floats

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        """Those of them."""
        return Samples(
            self.rows[chosen], self.time_ns[chosen], self.start_ns[chosen], self.value[chosen]
        )


@dataclass(frozen=True, slots=True)
class Shaped:
    """Points with a histogram each."""

    rows: Rows
    start_ns: Ints
    shapes: list[Shape]
    """[n] in seconds."""
