"""Durations in exponential buckets, OpenTelemetry's scale 5: 32 buckets a doubling.

Source: OpenTelemetry metrics data model, "Exponential Histogram": bucket `i` at scale `s` holds
values in (base^i, base^(i+1)] with base = 2^(2^-s); at scale 5 a value is at most 1.1 % from the
middle of its bucket, in the log sense.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.views import Percentiles

BUCKETS_A_DOUBLING = 32
ZERO_BUCKET = -32_768
"""Holds 0, and what lies below by a clock that went back."""
LEVELS = (0.5, 0.9, 0.99)

SQL_BUCKET = (
    f"if({{0}} > 0, toInt16(greatest(least(ceil(log2({{0}}) * {BUCKETS_A_DOUBLING}) - 1, 32767), "
    f"{ZERO_BUCKET + 1})), toInt16({ZERO_BUCKET}))"
)
"""A duration's bucket in SQL; `{0}` is the expression of it, seconds."""


def bucket_of(durations_s: NDArray[np.float64]) -> NDArray[np.int16]:
    """The bucket of each duration, seconds; NaN, which means not reported, in the zero bucket."""
    with np.errstate(divide="ignore", invalid="ignore"):
        index = np.ceil(np.log2(durations_s) * BUCKETS_A_DOUBLING) - 1
        index = np.where(durations_s > 0, index, ZERO_BUCKET)
    index = np.where(durations_s > 0, np.clip(index, ZERO_BUCKET + 1, 32_767), index)
    return index.astype(np.int16)


def middle_s(bucket: int) -> float:
    """The duration a bucket stands for, seconds."""
    if bucket == ZERO_BUCKET:
        return 0.0
    return float(2.0 ** min((bucket + 0.5) / BUCKETS_A_DOUBLING, 1023.0))


def percentiles_of(buckets: list[int] | None) -> Percentiles:
    """From the buckets at p50, p90 and p99; None or fewer: nothing was reported."""
    if not buckets or len(buckets) < len(LEVELS):
        return Percentiles()
    return Percentiles(*(middle_s(bucket) for bucket in buckets))
