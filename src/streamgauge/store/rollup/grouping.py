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
_DIGIT_BITS = 16


def key_of(
    table: pa.Table,
    tag_names: Sequence[str],
    *integers: Ints,
    first: Sequence[Ints] = (),
    limit: int = KEY_LIMIT,
) -> Ints:
    """int64 [n_rows], below `limit`: equal exactly where all the tags and integers are equal.

    It grows with the integers of `first`, the first of them before the others.
    """
    parts = [_part(integer) for integer in first]
    for name in tag_names:
        codes, values = codes_of(table.column(name))
        parts.append((codes.astype(np.int64), max(len(values), 1)))
    parts += [_part(integer) for integer in integers]
    return _packed(parts, table.num_rows, limit)


def _part(integer: Ints) -> tuple[Ints, int]:
    """From 0, and how many values there may be."""
    lowest = int(integer.min()) if len(integer) else 0
    highest = int(integer.max()) if len(integer) else 0
    return integer - lowest, highest - lowest + 1


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


def grouped(key: Ints) -> tuple[Ints, Ints, Ints]:
    """Sort by `key` (int64 [n_rows], not negative), rows with equal keys in their order.

    Returns:
        The rows in order [n_rows]; where each group begins in that order, and its key [n_groups].

    Sixteen bits at a time, the lowest first: NumPy counts such small numbers instead of comparing
    them, which takes a fraction of the time.
    """
    order = np.argsort(key.astype(np.uint16), kind="stable")
    for shift in range(_DIGIT_BITS, int(key.max(initial=0)).bit_length(), _DIGIT_BITS):
        digits = (key[order] >> shift).astype(np.uint16)
        order = order[np.argsort(digits, kind="stable")]
    ordered = key[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(key)])
    return order, starts, ordered[starts]


def take_tags(table: pa.Table, names: Sequence[str], rows: Ints) -> dict[str, pa.Array]:
    """The named tag columns at `rows`, dictionaries shared."""
    picked = table.select(list(names)).take(pa.array(rows)).combine_chunks()
    return {name: picked.column(name) for name in names}
