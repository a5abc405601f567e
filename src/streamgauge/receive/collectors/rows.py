"""Readings of queues as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.gatherer import QueueReading
from streamgauge.receive.influx.keys import canonical
from streamgauge.receive.schema import (
    NO_MESSAGES,
    NO_POINTS,
    QUEUE_SCHEMA,
    TAG,
    constant_tag,
    nullable,
)

VALUES = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight")
_CONTROL = dict.fromkeys((*range(32), 127), " ")


def parsed_of(readings: Sequence[QueueReading], now: float) -> Parsed:
    """One row a queue.

    Args:
        readings: none of them has a problem.
        now: epoch seconds, the time stamp of those that bring none.
    """
    at = np.array([now if one.at is None else one.at for one in readings], np.float64)
    texts = {
        name: [getattr(one, name) for one in readings]
        for name in ("queue", "pipeline", "integration", "tenant")
    }
    columns = {
        "time_ns": pa.array((at * 1e9).astype(np.int64)),
        "db": constant_tag("", len(readings)),
        "router": constant_tag("", len(readings)),
        **{name: _tag(values) for name, values in texts.items()},
        "tags": _tag([_tags(one.tags) for one in readings], is_plain=False),
        **{name: nullable(_numbers(readings, name)) for name in VALUES},
    }
    table = pa.table([columns[name] for name in QUEUE_SCHEMA.names], schema=QUEUE_SCHEMA)
    batch = Batch(NO_MESSAGES, table, NO_POINTS)
    # One look is never the retry of another one.
    return Parsed(batch, len(readings), 0, has_all_timestamps=False)


def _tag(words: list[str], *, is_plain: bool = True) -> pa.Array:
    plain = [word.translate(_CONTROL) for word in words] if is_plain else words
    return pa.array(plain, pa.string()).dictionary_encode().cast(TAG)


def _tags(tags: Mapping[str, str]) -> str:
    pairs = sorted((name, value.translate(_CONTROL)) for name, value in tags.items() if value)
    return canonical(pairs, is_plain=False)


def _numbers(readings: Sequence[QueueReading], name: str) -> np.ndarray:
    """Not known, not finite and below zero are all not known."""
    values = [getattr(one, name) for one in readings]
    return np.array(
        [v if v is not None and math.isfinite(v) and v >= 0 else math.nan for v in values],
        np.float64,
    )
