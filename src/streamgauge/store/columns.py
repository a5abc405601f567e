"""The journal's and the engine's columns as Arrow schemas, made from the model's names."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import (
    HOPS_COLUMNS,
    MESSAGES_COLUMNS,
    POINTS_COLUMNS,
    QUEUE_COLUMNS,
)
from streamgauge.model.feed import (
    HOURS_COLUMNS,
    LATENCIES_COLUMNS,
    LATENCY_HOURS_COLUMNS,
    MINUTES_COLUMNS,
    QUEUES_COLUMNS,
    ROUTER_HOURS_COLUMNS,
    ROUTERS_COLUMNS,
)

TAG = pa.dictionary(pa.int32(), pa.string())
"""A tag column: few distinct strings, many rows."""

_TYPES: dict[str, pa.DataType] = {
    "tag": TAG,
    "int16": pa.int16(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint64": pa.uint64(),
    "float64": pa.float64(),
    "string": pa.string(),
}

REJECTED_COLUMNS: dict[str, str] = {
    "time_ns": "int64",
    "tenant": "string",
    "line_number": "int64",
    "line": "string",
    "reason": "string",
}
"""Lines that were not kept; `time_ns` is when they came."""


def schema_of(columns: dict[str, str]) -> pa.Schema:
    """The Arrow schema of columns described as in `model.batch`."""
    return pa.schema(
        pa.field(name, _TYPES[kind.rstrip("?")], nullable=kind.endswith("?"))
        for name, kind in columns.items()
    )


MESSAGES = schema_of(MESSAGES_COLUMNS)
QUEUE = schema_of(QUEUE_COLUMNS)
POINTS = schema_of(POINTS_COLUMNS)
HOPS = schema_of(HOPS_COLUMNS)
REJECTED = schema_of(REJECTED_COLUMNS)
MINUTES = schema_of(MINUTES_COLUMNS)
QUEUES = schema_of(QUEUES_COLUMNS)
HOURS = schema_of(HOURS_COLUMNS)
ROUTERS = schema_of(ROUTERS_COLUMNS)
ROUTER_HOURS = schema_of(ROUTER_HOURS_COLUMNS)
LATENCIES = schema_of(LATENCIES_COLUMNS)
LATENCY_HOURS = schema_of(LATENCY_HOURS_COLUMNS)

NO_MESSAGES = MESSAGES.empty_table()
NO_HOPS = HOPS.empty_table()
NO_REJECTED = REJECTED.empty_table()

FLOW_KEY = ("tenant", "source", "integration", "pipeline", "stage")
MINUTE_KEY = (*FLOW_KEY, "outcome", "reason")
QUEUE_KEY = ("queue", "pipeline", "integration", "tenant")


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """`table` in exactly `schema`: columns selected, cast where their types differ."""
    if table.schema.equals(schema):
        return table
    columns = []
    for field in schema:
        column = table.column(field.name)
        if column.type != field.type:
            column = _as_tag(column) if field.type == TAG else column.cast(field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _as_tag(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Any array of strings (plain, large, dictionaries of another width) as a tag column."""
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.dictionary(pa.int32(), column.type.value_type)).cast(TAG)
    return column.cast(pa.string()).dictionary_encode()


def join(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    """All rows in one chunk, each tag column with one dictionary."""
    if not tables:
        return schema.empty_table()
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def narrowed(table: pa.Table) -> pa.Table:
    """The same tags with codes of one or two bytes where they suffice, to be sent on."""
    for at, field in enumerate(table.schema):
        if field.type == TAG:
            codes, words = codes_of(table.column(at))
            narrow = pa.array(codes).cast(_narrowest(len(words)), safe=False)
            tags = pa.DictionaryArray.from_arrays(narrow, words, safe=False)
            table = table.set_column(at, pa.field(field.name, tags.type, nullable=False), tags)
    return table


def _narrowest(word_count: int) -> pa.DataType:
    if word_count <= 2**7:
        return pa.int8()
    return pa.int16() if word_count <= 2**15 else pa.int32()


def codes_of(column: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, pa.Array]:
    """A joined tag column's codes (int32 [n_rows]) and its values."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0)
    return array.indices.to_numpy(zero_copy_only=False), array.dictionary
