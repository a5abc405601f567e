"""Groups rows by several columns at once, as one integer key a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.store.columns import codes_of

Ints = NDArray[np.int64]

KEY_LIMIT = 2**46
"""Keys stay below it, so that a histogram's bucket (2^16) fits beside one in 63 bits."""


def key_of(
    table: pa.Table, tag_names: Sequence[str], *integers: Ints, limit: int = KEY_LIMIT
) -> Ints:
    """int64 [n_rows], below `limit`: equal exactly where all the tags and integers are equal."""
    parts: list[tuple[Ints, int]] = []
    for name in tag_names:
        codes, values = codes_of(table.column(name))
        parts.append((codes.astype(np.int64), max(len(values), 1)))
    for integer in integers:
        lowest = int(integer.min()) if len(integer) else 0
        highest = int(integer.max()) if len(integer) else 0
        parts.append((integer - lowest, highest - lowest + 1))
    return _packed(parts, table.num_rows, limit)


def _packed(parts: Iterable[tuple[Ints, int]], row_count: int, limit: int) -> Ints:
    key, size = np.zeros(row_count, dtype=np.int64), 1
    for codes, distinct in parts:
        if distinct == 1:
            continue
        if size * distinct >= limit:
            key, size = _dense(key)
        if size * distinct >= limit:
            codes, distinct = _dense(codes)  # noqa: PLW2901
        key = key * distinct + codes
        size *= distinct
    return key


def _dense(key: Ints) -> tuple[Ints, int]:
    values, dense = np.unique(key, return_inverse=True)
    return dense.astype(np.int64), max(len(values), 1)


def take_tags(table: pa.Table, names: Sequence[str], rows: Ints) -> dict[str, pa.Array]:
    """The named tag columns at `rows`, dictionaries shared."""
    picked = table.select(list(names)).take(pa.array(rows)).combine_chunks()
    return {name: picked.column(name) for name in names}
