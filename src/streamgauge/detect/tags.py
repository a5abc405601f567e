"""Tag columns as numbers: what each distinct text is worth is asked once a dictionary, not a row.

Parts of one table share their dictionaries, and in `replay` an hour of ticks is one table, so what
was found for a dictionary is remembered while it may come again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Ints

_KEPT = 32


class PerDictionary:
    """Remembers an array [distinct values] for each of the last dictionaries seen."""

    def __init__(self, worth: Callable[[list[str]], Array]) -> None:
        """`worth` tells the array for a list of distinct texts; it must always tell the same."""
        self._worth = worth
        # The dictionary is kept too, so that its address is not given to another one.
        self._known: OrderedDict[tuple[int, ...], tuple[pa.Array, Array]] = OrderedDict()

    def rows(self, column: pa.ChunkedArray | pa.Array) -> Array:
        """The worth [rows] of a column's texts; null counts as empty text."""
        coded = _coded(column)
        indices: Ints = coded.indices.to_numpy(zero_copy_only=False)
        if not len(indices):
            return self._worth([])[:0]
        if coded.indices.null_count:
            indices = np.where(coded.indices.is_null().to_numpy(False), -1, indices).astype(int)
        return np.asarray(self._values(coded.dictionary)[indices])

    def _values(self, dictionary: pa.Array) -> Array:
        """One place more than there are values: the last one is that of empty text."""
        key = _identity(dictionary)
        known = self._known.get(key)
        if known is None:
            texts = dictionary.to_numpy(zero_copy_only=False).tolist()
            if dictionary.null_count:
                texts = [text if text is not None else "" for text in texts]
            known = self._known[key] = (dictionary, self._worth([*texts, ""]))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known[1]


def _coded(column: pa.ChunkedArray | pa.Array) -> pa.DictionaryArray:
    if isinstance(column, pa.ChunkedArray):
        if column.num_chunks == 1:
            column = column.chunk(0)
        elif pa.types.is_dictionary(column.type):
            column = column.unify_dictionaries().combine_chunks()
        else:
            column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # nothing at all, or more than one array can hold
        column = column.cast(pa.string()).combine_chunks()
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _identity(dictionary: pa.Array) -> tuple[int, ...]:
    """Where it stands in memory."""
    buffers = (buffer.address if buffer is not None else 0 for buffer in dictionary.buffers())
    return (dictionary.offset, len(dictionary), *buffers)
