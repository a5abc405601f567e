"""Cells of exponential histograms, of all points of a body at once.

A bucket with index i of scale s holds what is above b^i and at most b^(i+1), b = 2^(2^-s). Those of
negative values are the same mirrored. Buckets that hold nothing are left out.

Source: OpenTelemetry metrics data model, "ExponentialHistogram".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Floats, Ints
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import Buckets, Cells, HistogramPoint, Scaled

_TINY = 5e-324
"""The least number; what is smaller counts as that."""


def lay_out(points: Sequence[HistogramPoint]) -> None:
    """Give points their cells, ascending, or say what is wrong with them.

    Args:
        points: all of them have `scaled`.

    Raises:
        PayloadError: their counts cannot be read.
    """
    scaled = [point.scaled for point in points if point.scaled]
    if not scaled:
        return
    above = _positive(scaled, [one.positive for one in scaled])
    below = _reversed(_positive(scaled, [one.negative for one in scaled]))
    zero_count = np.array([one.zero_count for one in scaled], np.float64)
    zero_at = np.flatnonzero(zero_count)
    threshold = np.array([one.zero_threshold for one in scaled])[zero_at]
    owner = np.concatenate((below[0], zero_at, above[0]))
    side = np.repeat([-1, 0, 1], [len(below[0]), len(zero_at), len(above[0])])
    lower = np.concatenate((-below[2], -threshold, above[1]))
    upper = np.concatenate((-below[1], threshold, above[2]))
    weight = np.concatenate((below[3], zero_count[zero_at], above[3]))
    order = np.lexsort((side, owner))
    lower, upper, weight = lower[order], upper[order], weight[order]
    ends = np.cumsum(np.bincount(owner, minlength=len(scaled))).tolist()
    begin = 0
    for point, end in zip(points, ends, strict=True):
        point.cells = Cells(lower[begin:end], upper[begin:end], weight[begin:end])
        begin = end
    for at in {*above[0][np.isinf(above[1])].tolist(), *below[0][np.isinf(below[1])].tolist()}:
        points[at].wrong = "it has a bucket beyond the greatest number"


Side = tuple[Ints, Floats, Floats, Floats]
"""Whose it is, lower, upper and weight of each bucket that holds something."""


def _reversed(side: Side) -> Side:
    """The one farthest from zero first."""
    owner, lower, upper, weight = side
    return owner[::-1], lower[::-1], upper[::-1], weight[::-1]


def _positive(scaled: Sequence[Scaled], sides: Sequence[Buckets]) -> Side:
    """All of one side of zero, without its sign."""
    sizes = np.array([one.size for one in sides])
    counts = wire.varints(b"".join(one.packed for one in sides))
    first = np.array([one.offset for one in sides]) - (np.cumsum(sizes) - sizes)
    full = np.flatnonzero(counts)
    owner = np.repeat(np.arange(len(sides)), sizes)[full]
    index = first[owner] + full
    scale = np.array([one.scale for one in scaled])[owner]
    with np.errstate(over="ignore", under="ignore"):
        lower = _border(index, scale)
        upper = np.maximum(_border(index + 1, scale), _TINY)
    return owner, lower, upper, counts[full].astype(np.float64)


def _border(index: Ints, scale: Ints) -> NDArray[np.float64]:
    border: Floats = np.exp2(np.ldexp(index.astype(np.float64), -scale))
    return border
