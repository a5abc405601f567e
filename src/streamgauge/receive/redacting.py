"""Takes personal data and secrets out of what any receiver understood, before it is kept.

Of the measurement `messages`: the tag `reason`, and text in the fields `error` and `reason`. Of
refused lines: what is shown of them. Other text fields are stored as they are, as InfluxDB does,
unless a rule names `text`. Hops are redacted where they are decoded, as their patterns need it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streamgauge.model.batch import Batch, Parsed, RejectedLine
from streamgauge.receive.messages.redaction import DEFAULT_FIELDS, TEXT_FIELD, Redaction

Mask = NDArray[np.bool_]


def redacted(parsed: Parsed, redaction: Redaction) -> Parsed:
    """The same body without what the rules take out; the same object where that is nothing."""
    if parsed.batch.hops is not None:
        return parsed
    rejected = _lines(parsed.rejected, redaction)
    batch = _batch(parsed.batch, redaction)
    if rejected is parsed.rejected and batch is parsed.batch:
        return parsed
    return replace(parsed, batch=batch, rejected=rejected)


def _lines(lines: list[RejectedLine], redaction: Redaction) -> list[RejectedLine]:
    shown = [text for line in lines for text in (line.line, line.reason)]
    clean = redaction.texts(shown) if shown else shown
    if clean == shown:
        return lines
    pairs = zip(lines, clean[::2], clean[1::2], strict=True)
    return [replace(line, line=text, reason=reason) for line, text, reason in pairs]


def _batch(batch: Batch, redaction: Redaction) -> Batch:
    messages = _reasons(batch.messages, redaction)
    durations = None if batch.durations is None else _reasons(batch.durations, redaction)
    points = _points(batch.points, redaction)
    if (messages, durations, points) == (batch.messages, batch.durations, batch.points):
        return batch
    return replace(batch, messages=messages, durations=durations, points=points)


def _reasons(table: pa.Table, redaction: Redaction) -> pa.Table:
    if not table.num_rows:
        return table
    column = _one_chunk(table, "reason")
    words = column.dictionary.to_pylist()
    clean = redaction.words(words, "reason")
    if clean == words:
        return table
    distinct = {word: at for at, word in enumerate(dict.fromkeys(clean))}
    codes = pa.array([distinct[word] for word in clean], column.indices.type)
    indices = pc.take(codes, column.indices)
    return _with(table, "reason", pa.DictionaryArray.from_arrays(indices, pa.array(distinct)))


def _points(points: pa.Table, redaction: Redaction) -> pa.Table:
    if not points.num_rows:
        return points
    is_text = _is_any(points, "type", ("s",))
    if not is_text.any():
        return points
    chosen = {TEXT_FIELD: is_text} if redaction.has_field(TEXT_FIELD) else {}
    ours = is_text & _is_any(points, "measurement", ("messages",))
    if ours.any():
        chosen |= {name: ours & _is_any(points, "field", (name,)) for name in DEFAULT_FIELDS}
    for name, mask in chosen.items():
        if mask.any():
            points = _texts(points, mask, name, redaction)
    return points


def _texts(points: pa.Table, mask: Mask, name: str, redaction: Redaction) -> pa.Table:
    texts = points.column("text").combine_chunks()
    found = pl.Series(values=texts.filter(pa.array(mask)))
    clean = redaction.of(found, name).to_arrow().cast(texts.type)
    return _with(points, "text", pc.replace_with_mask(texts, pa.array(mask), clean))


def _is_any(table: pa.Table, column: str, words: Sequence[str]) -> Mask:
    tags = _one_chunk(table, column)
    wanted = [at for at, word in enumerate(tags.dictionary.to_pylist()) if word in words]
    if not wanted:
        return np.zeros(table.num_rows, dtype=np.bool_)
    return np.isin(tags.indices.to_numpy(zero_copy_only=False), wanted)


def _one_chunk(table: pa.Table, column: str) -> pa.DictionaryArray:
    chunks = table.column(column)
    if chunks.num_chunks == 1:
        return chunks.chunk(0)
    return chunks.unify_dictionaries().combine_chunks()


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(name), column)
