"""When a hop was: RFC 3339 with any offset, or a number since the epoch, to nanoseconds."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

UNITS_NS = ((1e11, 10**9), (1e14, 10**6), (1e17, 10**3))
"""A number less than the first is in units of the second, else in nanoseconds: seconds until the
year 5138, milliseconds from 1973 on, and so forth."""
TIME_REASON = (
    "time must be RFC 3339 with an offset, such as 2026-01-31T12:00:00.123Z, or a number of "
    "seconds, milliseconds, microseconds or nanoseconds since 1970"
)

_RFC_3339 = (
    r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$"  # Source: RFC 3339, 5.6
)
_MAX_US = (2**63 - 1) // 1000
_MOST_NS = 2**63 - 1
_LATEST = 2.0**62


def read_times(
    texts: pl.Series, received_at_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nanoseconds [n], and which texts are no times.

    Args:
        texts: [n] strings, or whole numbers, as they came; null where none came, which means
            now.
        received_at_ns: now.
    """
    if texts.null_count() == len(texts):
        return np.full(len(texts), received_at_ns), np.zeros(len(texts), bool)
    told = texts.to_arrow()
    if texts.dtype == pl.Int64():
        return _told(_whole(told), received_at_ns), np.zeros(len(texts), bool)
    try:
        time_ns = _alike(told)
    except pa.ArrowInvalid:
        time_ns = _any(texts).to_arrow()
    is_bad = np.zeros(len(texts), bool)
    if time_ns.null_count != told.null_count:
        is_bad = pc.and_(told.is_valid(), time_ns.is_null()).to_numpy(zero_copy_only=False)
    return _told(time_ns, received_at_ns), is_bad


def _told(time_ns: pa.Array, received_at_ns: int) -> NDArray[np.int64]:
    found: NDArray[np.int64] = pc.fill_null(time_ns, received_at_ns).to_numpy(zero_copy_only=False)
    return found


def _whole(told: pa.Array) -> pa.Array:
    """Nanoseconds [n] of whole numbers: -1 below zero, the most where they do not reach."""
    number = pc.fill_null(told, 0).to_numpy(zero_copy_only=False)
    unit = np.select([number < below for below, _ in UNITS_NS], [ns for _, ns in UNITS_NS], 1)
    time_ns = np.where(number < 0, -1, np.minimum(number, _MOST_NS // unit) * unit)
    return pa.array(time_ns, pa.int64(), mask=told.is_null().to_numpy(zero_copy_only=False))


def _alike(told: pa.Array) -> pa.Array:
    """Nanoseconds [n], if all are written as the first one is: as routers do it.

    Raises:
        ArrowInvalid: not all of them, or beyond what nanoseconds reach.
    """
    first = next(one for one in told if one.is_valid).as_py()
    if first[4:5] == "-":
        _check(told, _RFC_3339)
        return told.cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    is_whole = "." not in first
    if not is_whole:
        _check(told, r"^\d+\.\d+$")
    elif not pc.all(pc.ascii_is_decimal(told)).as_py():
        raise pa.ArrowInvalid("not alike")
    number = pc.fill_null(told.cast(pa.int64() if is_whole else pa.float64()), 0).to_numpy()
    if number.max() >= _LATEST:
        raise pa.ArrowInvalid("beyond what nanoseconds reach")
    size = np.select([number < below for below, _ in UNITS_NS], [unit for _, unit in UNITS_NS], 1)
    return pa.array((number * size).astype(np.int64), mask=~told.is_valid().to_numpy(False))


def _check(told: pa.Array, pattern: str) -> None:
    if not pc.all(pc.match_substring_regex(told, pattern)).as_py():
        raise pa.ArrowInvalid("not alike")


def _any(texts: pl.Series) -> pl.Series:
    """Nanoseconds [n], the least or most where they do not reach; null where a text is no time."""
    rfc = pl.col("t").str.contains(_RFC_3339)
    written = pl.when(rfc).then(pl.col("t").str.to_uppercase())
    us = written.str.to_datetime("%+", time_unit="us", strict=False).cast(pl.Int64)
    ns = written.str.to_datetime("%+", time_unit="ns", strict=False).cast(pl.Int64)
    whole = pl.col("t").cast(pl.Int64, strict=False)
    number = pl.col("t").cast(pl.Float64, strict=False)
    number = pl.when(number.is_finite()).then(number)
    return texts.to_frame("t").select(
        pl.when(us.is_between(0, _MAX_US))
        .then(ns)
        .when(us < 0)
        .then(pl.lit(-1, pl.Int64))
        .when(us.is_not_null())
        .then(pl.lit(2**63 - 1, pl.Int64))
        .when(number < 0)
        .then(pl.lit(-1, pl.Int64))
        .otherwise(pl.coalesce(_scaled(whole, pl.Int64), _scaled(number, pl.Float64)))
        .alias("ns")
    )["ns"]


def _scaled(number: pl.Expr, kind: type[pl.DataType]) -> pl.Expr:
    """A number since the epoch as nanoseconds, its unit told by its size."""
    ours = pl.when(number.is_not_null()).then(2**63 - 1025)
    scaled: pl.Expr = pl.when(number < 2**63).then(number).otherwise(ours)
    for below, unit_ns in reversed(UNITS_NS):
        scaled = pl.when(number < below).then(number * pl.lit(unit_ns, kind)).otherwise(scaled)
    return scaled.cast(pl.Int64, strict=False)
