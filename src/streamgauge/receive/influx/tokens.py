"""Pieces of a body as Arrow strings, without a loop: positions in, strings out."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.influx.blanks import Bytes, Positions


def pieces(data: Bytes, bounds: Positions | NDArray[np.int32]) -> pa.StringArray:
    """`data` cut at `bounds` (ascending) into len(bounds) - 1 strings; nothing is copied."""
    return pa.StringArray.from_buffers(
        len(bounds) - 1, pa.py_buffer(bounds.astype(np.int32)), pa.py_buffer(data)
    )


def slices(data: Bytes, start: Positions, end: Positions) -> pa.StringArray:
    """The strings data[start:end], which must be in order and must not overlap."""
    bounds = np.empty(2 * len(start), np.int32)
    bounds[0::2], bounds[1::2] = start, end
    if not len(bounds):
        return pa.array([], pa.string())
    return pieces(data, bounds).take(pa.array(np.arange(0, 2 * len(start), 2, dtype=np.int32)))


def encode(strings: pa.Array) -> tuple[NDArray[np.int32], list[str]]:
    """Codes [n] and the distinct strings they stand for."""
    encoded = strings.dictionary_encode()
    return encoded.indices.to_numpy(), as_list(encoded.dictionary)


def as_list(strings: pa.Array) -> list[str]:
    """As Python strings (Polars makes them many times faster than Arrow)."""
    found: list[str] = as_series(strings).to_list()
    return found


def as_series(strings: pa.Array) -> pl.Series:
    """As a Polars series."""
    return cast(pl.Series, pl.from_arrow(strings))


def numbers(
    strings: pa.Array, kind: type[pl.Float64 | pl.Int64 | pl.UInt64]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values, and where there is one: a string that is not such a number is 0 and False."""
    series = as_series(strings).cast(kind, strict=False)
    if not series.null_count():
        return series.to_numpy(), np.ones(len(series), bool)
    return series.fill_null(0).to_numpy(), series.is_not_null().to_numpy()
