"""Series and points that were found one by one → arrays over a whole body."""

from __future__ import annotations

import numpy as np

from streamgauge.receive.influx.stamps import stamps_refused
from streamgauge.receive.measured import Codes, Floats, Histograms, Series
from streamgauge.receive.prometheus.native import Native
from streamgauge.receive.prometheus.refusing import MAX_AHEAD_S, Refusals, nanoseconds


def joined(
    natives: list[tuple[Series, Native]], received_at_ns: int, refusals: Refusals
) -> Histograms:
    """All of them but those whose time stamps are refused, and markers of staleness."""
    natives = [one for one in natives if not one[1].is_stale]
    time_ns = nanoseconds(np.array([one.time_ms for _, one in natives], np.int64))
    is_out = stamps_refused(time_ns, received_at_ns, MAX_AHEAD_S)
    for at in np.flatnonzero(is_out).tolist():
        refusals.add_stamp(natives[at][0], int(time_ns[at]), at)
    natives = [
        one for one, is_one_out in zip(natives, is_out.tolist(), strict=True) if not is_one_out
    ]
    if not natives:
        return Histograms()
    series, of = indexed([one for one, _ in natives])
    points = [point for _, point in natives]
    sizes = [len(point.weight) for point in points]
    return Histograms(
        series=series,
        of=of,
        time_ns=time_ns[~is_out],
        start_ns=np.zeros(len(points), np.int64),
        count=np.array([point.count for point in points]),
        sum=np.array([point.sum for point in points]),
        cells=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        lower=_side_by_side([point.lower for point in points]),
        upper=_side_by_side([point.upper for point in points]),
        weight=_side_by_side([point.weight for point in points]),
    )


def indexed(found: list[Series]) -> tuple[list[Series], Codes]:
    """The distinct objects, and the index into them of each that was found."""
    count = len(found)
    _, first, of = np.unique(
        np.fromiter(map(id, found), np.int64, count), return_index=True, return_inverse=True
    )
    if len(first) == count:
        return found, np.arange(count, dtype=np.int32)
    return [found[at] for at in first.tolist()], of.astype(np.int32)


def _side_by_side(columns: list[list[float]]) -> Floats:
    return np.array([value for column in columns for value in column], np.float64)
