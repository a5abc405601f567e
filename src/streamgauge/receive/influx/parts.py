"""Cuts large bodies into parts, so that the arrays of a hostile one stay small, and joins results.

A body of 25 MB may have ten million lines of two bytes, each of which takes some hundred bytes
while it is understood.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed
from streamgauge.receive.influx.blanks import Bytes, Positions
from streamgauge.receive.influx.refusals import MAX_TOLD

PART_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Part:
    """Whole lines of a body."""

    body: bytes
    """As it was sent."""
    raw: Bytes
    """Made safe: a line break at the end, no invalid UTF-8."""
    clean: Bytes
    """Without what is hidden."""
    bad_at: Positions
    """Where there was invalid UTF-8."""
    first_number: int


def cut(part: Part) -> Iterator[Part]:
    """Parts of about PART_BYTES, each ending at the end of a line."""
    if len(part.raw) <= PART_BYTES:
        yield part
        return
    start, number = 0, part.first_number
    while start < len(part.raw):
        end = _end_of_line(part.clean, min(start + PART_BYTES, len(part.raw)) - 1)
        is_here = (part.bad_at >= start) & (part.bad_at < end)
        yield Part(
            part.body[start:end],
            part.raw[start:end],
            part.clean[start:end],
            part.bad_at[is_here] - start,
            number,
        )
        number += int(np.count_nonzero(part.raw[start:end] == ord("\n")))
        start = end


def _end_of_line(clean: Bytes, at: int) -> int:
    """Behind the first line break at or behind `at`."""
    step = 4096
    while True:
        found = np.flatnonzero(clean[at : at + step] == ord("\n"))
        if len(found):
            return at + int(found[0]) + 1
        at, step = at + step, step * 2


def join(parts: Sequence[Parsed]) -> Parsed:
    """One result for the whole body."""
    if len(parts) == 1:
        return parts[0]
    counts: Counter[tuple[str, str]] = Counter()
    for part in parts:
        counts.update(part.rejected_by)
    batches = [part.batch for part in parts]
    return Parsed(
        Batch(
            _concat([batch.messages for batch in batches]),
            _concat([batch.queue for batch in batches]),
            _concat([batch.points for batch in batches]),
        ),
        line_count=sum(part.line_count for part in parts),
        rejected_count=sum(part.rejected_count for part in parts),
        rejected=[line for part in parts for line in part.rejected][:MAX_TOLD],
        has_all_timestamps=all(part.has_all_timestamps for part in parts),
        rejected_by=dict(counts),
    )


def _concat(tables: list[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()
