"""The columns of `model.batch` as Arrow schemas, and the arrays that fit them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import (
    HOPS_COLUMNS,
    MESSAGES_COLUMNS,
    POINTS_COLUMNS,
    QUEUE_COLUMNS,
)

TAG = pa.dictionary(pa.int32(), pa.string())

_TYPES = {
    "int64": (pa.int64(), False),
    "uint64": (pa.uint64(), False),
    "float64?": (pa.float64(), True),
    "string": (pa.string(), False),
    "string?": (pa.string(), True),
    "tag": (TAG, False),
}


def _schema(columns: Mapping[str, str]) -> pa.Schema:
    return pa.schema([pa.field(name, *_TYPES[kind]) for name, kind in columns.items()])


MESSAGES_SCHEMA: pa.Schema = _schema(MESSAGES_COLUMNS)
QUEUE_SCHEMA: pa.Schema = _schema(QUEUE_COLUMNS)
POINTS_SCHEMA: pa.Schema = _schema(POINTS_COLUMNS)
HOPS_SCHEMA: pa.Schema = _schema(HOPS_COLUMNS)

NO_MESSAGES: pa.Table = MESSAGES_SCHEMA.empty_table()
NO_QUEUE: pa.Table = QUEUE_SCHEMA.empty_table()
NO_POINTS: pa.Table = POINTS_SCHEMA.empty_table()


def tag_array(codes: NDArray[np.int32], words: list[str]) -> pa.DictionaryArray:
    """A tag column: `codes` int32 [n] index into `words`."""
    return pa.DictionaryArray.from_arrays(
        pa.array(codes, pa.int32()), pa.array(words, pa.string()), safe=False
    )


def pooled_tag(codes: NDArray[np.int32], words: pa.StringArray) -> pa.DictionaryArray:
    """A tag column whose dictionary may hold words that do not occur."""
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), words, safe=False)


def constant_tag(word: str, row_count: int) -> pa.DictionaryArray:
    """A tag column that says the same in every row."""
    zeros = _ZEROS if row_count <= len(_ZEROS) else pa.array(np.zeros(row_count, np.int32))
    return pa.DictionaryArray.from_arrays(zeros[:row_count], _single(word), safe=False)


_ZEROS = pa.array(np.zeros(65_536, np.int32))


@lru_cache(256)
def _single(word: str) -> pa.StringArray:
    return pa.array([word], pa.string())


def nullable(values: NDArray[np.float64]) -> pa.Array:
    """A float64 column in which NaN stands for what was not reported."""
    return pa.array(values, pa.float64(), from_pandas=True)
