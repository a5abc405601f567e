"""What a segment's hops give the engine: themselves, errors by the minute, and samples; pure.

Errors that came with a text are summed here, all of them, so that their counts are exact whatever
becomes of the hops. Of each fingerprint and flow the newest few of a segment are samples; the
engine keeps the newest few of each hour as it merges.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streamgauge.model.words import FAILED
from streamgauge.store import columns
from streamgauge.store.journal.records import Body
from streamgauge.store.levels import NS_A_HOUR, NS_A_MINUTE, NS_A_SECOND
from streamgauge.store.rollup.grouping import Ints, grouped, key_of, take_tags
from streamgauge.store.rollup.rawrows import raw_rows

OLDEST_HOURS = 24
"""Hops that come later than that lie with those of a day before they came: a body of ancient hops
does not make a partition for each of its hours."""
SAMPLES = 3
"""Of a fingerprint and flow, in a segment and in an hour."""
SAMPLE_KEY = ("tenant", "source", "pipeline")
OPTIONAL = ("latency_s", "queue_s", "error")
_SAMPLE = pa.struct([("1", pa.int64()), ("2", pa.string()), ("3", pa.string())])


def hop_tables(hops: pa.Table, bodies: list[Body]) -> dict[str, pa.Table]:
    """Rows of `hops`, `error_minute` and `error_samples` by table; those without rows may lack.

    Args:
        hops: those of the bodies in their order, joined; `seq` is each hop's own number.
        bodies: tell when hops came, and how many messages each stands for.
    """
    told = [body for body in bodies if body.hops.num_rows]
    if not told:
        return {}
    numbered = hops.append_column("count", pa.array(np.concatenate([*map(_counts, told)])))
    failed = _failed(numbered)
    return {"hops": _stored(hops, told)} | (_errors(failed) if failed.num_rows else {})


def _counts(body: Body) -> NDArray[np.uint64]:
    """Of the rows of `messages` beside the hops."""
    count: NDArray[np.uint64] = body.messages.column("count").to_numpy()
    return count if len(count) == body.hops.num_rows else np.ones(body.hops.num_rows, np.uint64)


def _stored(hops: pa.Table, told: list[Body]) -> pa.Table:
    """Those of messages that have an id: the others are no part of a journey."""
    came = np.array([int(body.received_at * NS_A_SECOND) // NS_A_HOUR for body in told], np.int64)
    oldest = np.repeat(came - OLDEST_HOURS, [body.hops.num_rows for body in told])
    hour = np.maximum(hops.column("time_ns").to_numpy() // NS_A_HOUR, oldest)
    kept = hops.drop_columns(["pattern", "fingerprint"]).append_column("hour", pa.array(hour))
    has_id = pc.not_equal(kept.column("id"), "")
    if not pc.all(has_id).as_py():
        kept = kept.filter(has_id)
    return raw_rows(_without_defaults(_by_minute(kept)))


def _by_minute(hops: pa.Table) -> pa.Table:
    """As the engine sorts them: it finds them sorted, which takes it less time."""
    minute = hops.column("time_ns").to_numpy() // NS_A_MINUTE
    if not np.any(minute[1:] < minute[:-1]):
        return hops
    order, _, _ = grouped(minute - minute.min())
    return hops.take(pa.array(order)).combine_chunks()


def _without_defaults(hops: pa.Table) -> pa.Table:
    """Without the columns in which no row says anything: the engine fills them itself."""
    tags = [field.name for field in hops.schema if pa.types.is_dictionary(field.type)]
    silent = [name for name in tags if columns.codes_of(hops.column(name))[1].to_pylist() == [""]]
    silent += [name for name in OPTIONAL if hops.column(name).null_count == hops.num_rows]
    return hops.drop_columns(silent) if hops.num_rows else hops


def _failed(hops: pa.Table) -> pa.Table:
    """Those that went wrong and say how in words."""
    is_failed = _is_one_of(hops.column("outcome"), FAILED)
    has_text = hops.column("fingerprint").to_numpy() != 0
    codes, words = columns.codes_of(hops.column("pattern"))
    is_empty = np.array([not word for word in words.to_pylist()], bool)
    has_text &= ~is_empty[codes] if len(is_empty) else False
    return hops.filter(pa.array(is_failed & has_text)).combine_chunks()


def _is_one_of(tags: pa.ChunkedArray, wanted: tuple[str, ...]) -> NDArray[np.bool_]:
    codes, words = columns.codes_of(tags)
    known = np.array([word in wanted for word in words.to_pylist()], bool)
    return known[codes] if len(known) else np.zeros(len(codes), bool)


def _errors(failed: pa.Table) -> dict[str, pa.Table]:
    _, prints = np.unique(failed.column("fingerprint").to_numpy(), return_inverse=True)
    return {
        "error_minute": _error_minutes(failed, prints.astype(np.int64)),
        "error_samples": _samples(failed, prints.astype(np.int64)),
    }


def _error_minutes(failed: pa.Table, prints: Ints) -> pa.Table:
    time_ns = failed.column("time_ns").to_numpy()
    minute = time_ns // NS_A_MINUTE
    key = key_of(failed, columns.MINUTE_KEY, prints, first=(minute,))
    order, starts, _ = grouped(key)
    firsts = order[starts]
    patterns = failed.column("pattern").combine_chunks().take(pa.array(firsts))
    return pa.table(
        {
            "minute": minute[firsts],
            **take_tags(failed, columns.MINUTE_KEY, firsts),
            "fingerprint": failed.column("fingerprint").to_numpy()[firsts],
            "pattern": pc.cast(patterns, pa.string()),
            "count": np.add.reduceat(failed.column("count").to_numpy()[order], starts),
            "first_ns": np.minimum.reduceat(time_ns[order], starts),
            "last_ns": np.maximum.reduceat(time_ns[order], starts),
        }
    )


def _samples(failed: pa.Table, prints: Ints) -> pa.Table:
    """The newest of each fingerprint, flow and hour, the newest last."""
    time_ns = failed.column("time_ns").to_numpy()
    by_time = np.argsort(time_ns, kind="stable")
    rows = failed.take(pa.array(by_time)).combine_chunks()
    hour = time_ns[by_time] // NS_A_HOUR
    key = key_of(rows, SAMPLE_KEY, prints[by_time], first=(hour,))
    order, starts, _ = grouped(key)
    ends = np.append(starts[1:], len(order))
    is_newest = np.repeat(ends, ends - starts) - SAMPLES <= np.arange(len(order))
    chosen, sizes = order[is_newest], np.minimum(ends - starts, SAMPLES)
    newest = rows.select(["time_ns", "id", "error"]).take(pa.array(chosen)).combine_chunks()
    texts = pc.fill_null(newest.column("error"), "")
    each = [column.combine_chunks() for column in (newest.column(0), newest.column(1), texts)]
    samples = pa.StructArray.from_arrays(each, fields=list(_SAMPLE))
    firsts = order[starts]
    offsets = pa.array(np.append(0, np.cumsum(sizes)), pa.int32())
    return pa.table(
        {
            "hour": hour[firsts],
            "fingerprint": rows.column("fingerprint").to_numpy()[firsts],
            **take_tags(rows, SAMPLE_KEY, firsts),
            "samples": pa.ListArray.from_arrays(offsets, samples),
        }
    )
