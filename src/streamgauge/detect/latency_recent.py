"""The latencies of the last minutes as they came, to say how long messages take now."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints

_MINUTES = 15
_MOST = 300_000
"""Rows kept: of a platform that tells more, the newest."""
_BUCKETS_A_DOUBLING = 32


class Recent:
    """Rows of (minute, flow, bucket, count)."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints, Floats, Floats]] = []

    def add(self, minute: Ints, flows: Ints, bucket: Floats, count: Floats) -> None:
        """Keep what came, and drop what is old."""
        part = (minute[-_MOST:], flows[-_MOST:], bucket[-_MOST:], count[-_MOST:])
        self._parts.append(part)
        newest = int(max(part[0].max(initial=0) for part in self._parts))
        kept, rows = [], 0
        for one in reversed(self._parts):
            rows += len(one[0])
            if rows > _MOST or one[0].max(initial=0) <= newest - _MINUTES:
                break
            kept.append(one)
        self._parts = kept[::-1]

    def quantile(self, flows: Ints, level: float) -> float | None:
        """The bucket that a share `level` of these flows' messages kept to; None: none came."""
        buckets, counts = [], []
        for _, of, bucket, count in self._parts:
            at = np.isin(of, flows)
            buckets.append(bucket[at])
            counts.append(count[at])
        bucket = np.concatenate(buckets) if buckets else np.zeros(0)
        if not len(bucket):
            return None
        order = np.argsort(bucket)
        total = np.cumsum(np.concatenate(counts)[order])
        return float(bucket[order][np.searchsorted(total, level * total[-1])])


def seconds(bucket: float) -> float:
    """The upper bound of a bucket of OpenTelemetry's scale 5."""
    return float(2.0 ** np.clip((bucket + 1.0) / _BUCKETS_A_DOUBLING, -40.0, 40.0))
