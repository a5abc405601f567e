"""Points of the line protocol as numbers that rules may give a meaning."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import Parsed
from streamgauge.receive.influx.keys import KeyFault, read_key
from streamgauge.receive.meaning.names import looks_like_ours
from streamgauge.receive.measured import Measured, Numbers, Series

MAX_SERIES = 100_000
_NUMBERS = ("f", "i", "u")


class LineSeries:
    """Reads each distinct measurement, tags and field once. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, str], Series] = {}
        self._lock = threading.Lock()

    def series(self, measurement: str, tags: str, field: str) -> Series:
        """The series of a point."""
        key = (measurement, tags, field)
        found = self._known.get(key)
        if found is None:
            found = Series(name_of(measurement, field), _labels(tags))
            with self._lock:
                if len(self._known) >= MAX_SERIES:
                    self._known.clear()
                self._known[key] = found
        return found

    def measured(self, points: pa.Table) -> tuple[Measured, NDArray[np.int64]]:
        """The numbers among the points [n_rows], and which rows they are."""
        columns = [
            points.column(name).combine_chunks() for name in ("measurement", "tags", "field")
        ]
        kinds = points.column("type").combine_chunks()
        is_number = np.isin(np.array(kinds.dictionary.to_pylist(), object), _NUMBERS)
        rows = np.flatnonzero(is_number[kinds.indices.to_numpy()])
        key = np.zeros(len(rows), np.int64)
        for column in columns:
            _, key = np.unique(
                key * max(len(column.dictionary), 1) + column.indices.to_numpy()[rows],
                return_inverse=True,
            )
        _, first, of = np.unique(key, return_index=True, return_inverse=True)
        at = pa.array(rows[first])
        words = (column.take(at).cast(pa.string()).to_pylist() for column in columns)
        series = [self.series(*one) for one in zip(*words, strict=True)]
        numbers = Numbers(
            series,
            of.astype(np.int32),
            points.column("time_ns").to_numpy()[rows],
            np.zeros(len(rows), np.int64),
            points.column("value").to_numpy()[rows].astype(np.float64),
        )
        return Measured(numbers), rows


def without_rows(parsed: Parsed, rows: NDArray[np.int64]) -> Parsed:
    """The same without these points."""
    if not len(rows):
        return parsed
    is_kept = np.ones(parsed.batch.points.num_rows, bool)
    is_kept[rows] = False
    points = parsed.batch.points.filter(pa.array(is_kept))
    return replace(parsed, batch=replace(parsed.batch, points=points))


def new_names(points: pa.Table, known: set[str]) -> set[str]:
    """Measurements that look like ours and were not met before; `known` grows by all."""
    words = points.column("measurement").combine_chunks().dictionary.to_pylist()
    fresh = set(words) - known
    if len(known) > MAX_SERIES:
        known.clear()
    known |= fresh
    return {name for name in fresh if looks_like_ours(name)}


def name_of(measurement: str, field: str) -> str:
    """As Telegraf names a field for Prometheus."""
    return measurement if field == "value" else f"{measurement}_{field}"


def _labels(tags: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(read_key(f"m,{tags}").tags) if tags else ()
    except KeyFault:
        return ()
