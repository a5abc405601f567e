"""A body of hops → the columns of hops and of the messages they count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx.stamps import stamps_refused
from streamgauge.receive.messages.columns import (
    NUMBER_KEYS,
    TEXT_KEYS,
    Numbers,
    read_ids,
    read_names,
    read_numbers,
)
from streamgauge.receive.messages.errors import Errors, read_errors
from streamgauge.receive.messages.faults import Faults, tell
from streamgauge.receive.messages.lines import Objects, read_objects, split, without_mark
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.messages.stamps import TIME_REASON, read_times
from streamgauge.receive.schema import (
    HOPS_SCHEMA,
    MESSAGES_SCHEMA,
    NO_POINTS,
    NO_QUEUE,
    constant_tag,
)

MAX_AHEAD_S = 3600.0

Names = dict[str, pa.DictionaryArray]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as it was understood."""

    parsed: Parsed
    numbers: Callable[[], NDArray[np.int64]]
    """Line numbers [n_rows] of the rows that are kept."""


def decode(body: bytes, received_at_ns: int, redaction: Redaction, db: str = "") -> Parsed:
    """Understand one body; see `decode_lines`."""
    return decode_lines(body, received_at_ns, redaction, db).parsed


def decode_lines(body: bytes, received_at_ns: int, redaction: Redaction, db: str = "") -> Decoded:
    """Understand one body, and know in which line each row stood.

    Args:
        body: NDJSON, unzipped.
        received_at_ns: the time of hops that bring none; later ones are refused beyond an hour.
        redaction: applied to all that is kept of texts, refused lines too.
        db: the name space of InfluxQL.

    Raises:
        BodyTooLarge: more lines than are taken.
        PayloadError: too many of its lines are no JSON objects.
    """
    body = without_mark(body)
    objects = read_objects(body, TEXT_KEYS, NUMBER_KEYS)
    frame = objects.frame
    faults = Faults(frame.height)
    names = read_names(frame, faults, redaction)
    ids = read_ids(frame, faults, redaction)
    time_ns = _times(objects, received_at_ns, faults)
    numbers = read_numbers(frame, faults)
    errors = read_errors(frame["error"], names, redaction)
    batch = Batch(
        _messages(time_ns, db, names, numbers),
        NO_QUEUE,
        NO_POINTS,
        hops=_hops(time_ns, ids, names, numbers, errors),
    )
    has_all_timestamps = not frame["time"].null_count()
    if not faults.found and not objects.unreadable:
        parsed = Parsed(batch, frame.height, 0, has_all_timestamps=has_all_timestamps)
        return Decoded(parsed, lambda: split(body).number)
    return _without_refused(body, objects, faults, batch, has_all_timestamps, redaction)


def _times(objects: Objects, received_at_ns: int, faults: Faults) -> NDArray[np.int64]:
    texts = objects.frame["time"]
    time_ns, is_no_time = read_times(texts, received_at_ns)
    faults.add(is_no_time, RefusalReason.STAMP, TIME_REASON)
    is_refused = stamps_refused(time_ns, received_at_ns, MAX_AHEAD_S)

    def why(row: int) -> str:
        is_early = time_ns[row] < 0
        where = "before 1970" if is_early else f"more than {MAX_AHEAD_S:g} s ahead of our clock"
        return f"time {str(texts[row])[:40]} is {where}; check the clock of the sender"

    faults.add(is_refused, RefusalReason.STAMP, why)
    return time_ns


def _messages(time_ns: NDArray[np.int64], db: str, names: Names, numbers: Numbers) -> pa.Table:
    row_count = len(time_ns)
    columns = {
        "time_ns": time_ns,
        "db": constant_tag(db, row_count),
        **names,
        "tags": constant_tag("", row_count),
        "count": numbers.count,
        "bytes": numbers.bytes,
        "latency_s": numbers.latency_s,
        "queue_s": numbers.queue_s,
    }
    return pa.table({name: columns[name] for name in MESSAGES_SCHEMA.names}, MESSAGES_SCHEMA)


def _hops(
    time_ns: NDArray[np.int64], ids: pa.Array, names: Names, numbers: Numbers, errors: Errors
) -> pa.Table:
    columns = {
        "time_ns": time_ns,
        "id": ids,
        **names,
        "latency_s": numbers.latency_s,
        "queue_s": numbers.queue_s,
        "bytes": numbers.bytes,
        "error": errors.error,
        "pattern": errors.pattern,
        "fingerprint": errors.fingerprint,
    }
    return pa.table({name: columns[name] for name in HOPS_SCHEMA.names}, HOPS_SCHEMA)


def _without_refused(
    body: bytes,
    objects: Objects,
    faults: Faults,
    batch: Batch,
    has_all_timestamps: bool,
    redaction: Redaction,
) -> Decoded:
    is_refused = faults.is_refused
    lines = split(body)
    line = np.arange(len(lines.start)) if objects.line is None else objects.line
    tenants = batch.messages.column("tenant").filter(pa.array(is_refused)).to_pylist()
    refused = tell(lines, objects.unreadable, faults, line, tenants, redaction)
    kept = pa.array(~is_refused)
    hops = batch.hops.filter(kept) if batch.hops is not None else None
    parsed = Parsed(
        Batch(batch.messages.filter(kept), NO_QUEUE, NO_POINTS, hops=hops),
        line_count=len(is_refused) + len(objects.unreadable),
        rejected_count=int(np.count_nonzero(is_refused)) + len(objects.unreadable),
        rejected=refused.told,
        has_all_timestamps=has_all_timestamps,
        rejected_by=refused.counted,
    )
    return Decoded(parsed, lambda: lines.number[line][~is_refused])
