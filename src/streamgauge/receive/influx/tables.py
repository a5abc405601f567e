"""Puts the three tables of a batch together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import Batch
from streamgauge.receive.influx import tokens
from streamgauge.receive.influx.book import ALL_TAGS, MEASUREMENT, Rows, Shelf, compact
from streamgauge.receive.influx.fields import (
    INTEGER,
    STRING,
    TYPE_LETTERS,
    UNSIGNED,
    Fields,
)
from streamgauge.receive.influx.measurements import QUEUE_FIELDS, Columns
from streamgauge.receive.influx.series import MESSAGES_TAGS, QUEUE_TAGS, SeriesKind
from streamgauge.receive.schema import (
    MESSAGES_SCHEMA,
    NO_MESSAGES,
    NO_POINTS,
    NO_QUEUE,
    POINTS_SCHEMA,
    QUEUE_SCHEMA,
    constant_tag,
    nullable,
    pooled_tag,
    tag_array,
)

Chosen = slice | NDArray[np.int64]
"""Lines: all of them, or these."""

_TWO_53 = 2.0**53
_FEW_WORDS = 500
"""So many stand in a body's dictionary, whether they occur or not: finding out takes longer."""


@dataclass(frozen=True, slots=True)
class Understood:
    """Lines by their meaning; arrays are [n_lines]."""

    db: str
    shelf: Shelf
    series: Rows
    """Rows [n_distinct] on the shelf."""
    code: NDArray[np.int32]
    """Index into `series`."""
    kind: NDArray[np.uint8]
    time_ns: NDArray[np.int64]
    is_good: NDArray[np.bool_]


def build(lines: Understood, fields: Fields, columns: Columns) -> Batch:
    """The tables of the good lines."""
    return Batch(_messages(lines, columns), _queue(lines, columns), _points(lines, fields, columns))


def _table(columns: list[pa.Array], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_arrays(columns, schema=schema)


def _messages(lines: Understood, columns: Columns) -> pa.Table:
    chosen = _chosen(lines.is_good & (lines.kind == SeriesKind.MESSAGES))
    time_ns = lines.time_ns[chosen]
    if not len(time_ns):
        return NO_MESSAGES
    tags = _tags(lines, chosen, SeriesKind.MESSAGES, range(len(MESSAGES_TAGS)))
    floats = [_float(columns, name, chosen, len(time_ns)) for name in ("latency_s", "queue_s")]
    counts = [pa.array(columns.count[chosen]), pa.array(columns.bytes[chosen])]
    return _table(
        [pa.array(time_ns), constant_tag(lines.db, len(time_ns)), *tags, *counts, *floats],
        MESSAGES_SCHEMA,
    )


def _queue(lines: Understood, columns: Columns) -> pa.Table:
    is_queue = lines.is_good & (lines.kind == SeriesKind.QUEUE)
    chosen = _chosen(is_queue & columns.has_queue_field)
    time_ns = lines.time_ns[chosen]
    if not len(time_ns):
        return NO_QUEUE
    tags = _tags(lines, chosen, SeriesKind.QUEUE, range(len(QUEUE_TAGS)))
    floats = [_float(columns, name, chosen, len(time_ns)) for name in QUEUE_FIELDS]
    return _table(
        [pa.array(time_ns), constant_tag(lines.db, len(time_ns)), *tags, *floats], QUEUE_SCHEMA
    )


def _points(lines: Understood, fields: Fields, columns: Columns) -> pa.Table:
    if not columns.is_point.any():
        return NO_POINTS
    at = np.flatnonzero(columns.is_point & lines.is_good[fields.line])
    if not len(at):
        return NO_POINTS
    line = fields.line[at]
    kinds = fields.type[at]
    values = np.where(kinds == STRING, np.nan, fields.value[at])
    return _table(
        [
            pa.array(lines.time_ns[line]),
            constant_tag(lines.db, len(at)),
            *_tags(lines, line, SeriesKind.POINTS, (MEASUREMENT, ALL_TAGS)),
            tag_array(*compact(fields.name[at], fields.names)),
            tag_array(*compact(kinds.astype(np.int32), TYPE_LETTERS)),
            nullable(values),
            _texts(fields, at, kinds),
        ],
        POINTS_SCHEMA,
    )


def _texts(fields: Fields, at: NDArray[np.int64], kinds: NDArray[np.uint8]) -> pa.Array:
    """Strings unescaped, and integers that a float cannot hold exactly."""
    is_string = kinds == STRING
    is_large = ((kinds == INTEGER) | (kinds == UNSIGNED)) & (np.abs(fields.value[at]) >= _TWO_53)
    if not (is_string | is_large).any():
        return pa.nulls(len(at), pa.string())
    shown = pl.DataFrame({"is_string": is_string, "is_large": is_large}).with_columns(
        text=tokens.as_series(fields.text(at))
    )
    unescaped = pl.col("text").str.replace_all(r'\\(["\\])', "$1")
    plain = pl.col("text").str.replace(r"^(-?)0+(\d)", "$1$2")
    texts = shown.select(
        pl.when("is_string").then(unescaped).when("is_large").then(plain).alias("text")
    )
    return texts["text"].to_arrow().cast(pa.string())


def _chosen(is_chosen: NDArray[np.bool_]) -> Chosen:
    return slice(None) if is_chosen.all() else np.flatnonzero(is_chosen)


def _float(columns: Columns, name: str, chosen: Chosen, row_count: int) -> pa.Array:
    values = columns.floats.get(name)
    return pa.nulls(row_count, pa.float64()) if values is None else nullable(values[chosen])


def _tags(
    lines: Understood, chosen: Chosen, kind: SeriesKind, slots: Sequence[int]
) -> list[pa.Array]:
    """Tag columns of the chosen lines."""
    code = lines.code[chosen]
    if isinstance(chosen, slice):
        series = lines.series
    else:
        used, position = np.unique(code, return_inverse=True)
        series, code = lines.series[used], position.astype(np.int32)
    return [_tag(lines.shelf, kind, slot, series, code) for slot in slots]


def _tag(
    shelf: Shelf, kind: SeriesKind, slot: int, series: Rows, code: NDArray[np.int32]
) -> pa.DictionaryArray:
    """One tag column; a few words are given as they are, of many only those that occur."""
    pool = shelf.pool(kind, slot)
    word_count = len(pool.words)
    if word_count == 1:
        return constant_tag(pool.words[0], len(code))
    if word_count <= _FEW_WORDS:
        return pooled_tag(shelf.codes(series, slot)[code], pool.array())
    codes, words = compact(shelf.codes(series, slot), pool.words)
    return constant_tag(words[0], len(code)) if len(words) == 1 else tag_array(codes[code], words)
