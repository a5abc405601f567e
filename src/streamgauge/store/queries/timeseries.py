"""A metric per step of time, one series per combination of labels."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.errors import PayloadError
from streamgauge.model.views import Filters, Series, TimeSeries
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import MESSAGES, NS_A_SECOND, QUEUES, Level
from streamgauge.store.queries.ended import ended_rows
from streamgauge.store.queries.pieces import settled
from streamgauge.store.queries.rows import (
    FAILED_SQL,
    Steps,
    parameters_of,
    queue_rows,
)
from streamgauge.store.queries.seen import seen_minutes
from streamgauge.store.queries.span import Span, to_ns
from streamgauge.store.rollup.histogram import middle_s

MAX_STEPS = 11_000
MAX_VALUES = 1_000_000
"""Series times steps."""

MESSAGE_LABELS = ("tenant", "source", "integration", "pipeline", "outcome")
QUEUE_LABELS = ("queue", "tenant", "integration", "pipeline")


@dataclass(frozen=True, slots=True)
class Metric:
    """How a metric is computed over the rows of one step and series."""

    sql: str
    is_count: bool = False
    """0, not unknown, in steps in which anyone was seen."""
    is_bucket: bool = False
    """A histogram's bucket, to be turned into seconds."""
    field: str = ""
    """Of a queue: the last value that it is made of."""

    @property
    def is_of_queues(self) -> bool:
        """Whether it is measured at queues, not at messages."""
        return bool(self.field)


def _percentile(place: int, name: str, condition: str) -> Metric:
    """One of three levels that the engine computes at once, however many of them are asked for."""
    return Metric(
        f"if(sumIf(length({name}_buckets), {condition}) = 0, NULL, "
        f"quantilesExactWeightedArrayIf(0.5, 0.9, 0.99)({name}_buckets, {name}_weights, "
        f"{condition})[{place}])",
        is_bucket=True,
    )


def _is_told(last: str) -> str:
    """Whether a queue's last value is there, and has not ended (`model.batch.ENDED`)."""
    return f"{last}.1 >= 0 AND isFinite({last}.3)"


def _extreme(name: str, none: str) -> str:
    found = f"{name}If(latency_{name}, ends AND latency_{name} != {none})"
    return f"if(countIf(ends AND latency_{name} != {none}) = 0, NULL, toFloat64({found}))"


_FAILED = f"sumIf(count, outcome IN ({FAILED_SQL}))"
METRICS: Mapping[str, Metric] = {
    "messages": Metric("sumIf(count, ends)", is_count=True),
    "received": Metric("sumIf(count, stage = 'received' AND outcome != 'retried')", is_count=True),
    "errors": Metric(_FAILED, is_count=True),
    "filtered": Metric("sumIf(count, outcome = 'filtered')", is_count=True),
    "bytes": Metric("sumIf(bytes, ends)", is_count=True),
    "error_ratio": Metric(
        f"if({_FAILED} + sumIf(count, ends AND outcome = 'ok') = 0, NULL, "
        f"{_FAILED} / ({_FAILED} + sumIf(count, ends AND outcome = 'ok')))"
    ),
    "latency_p50": _percentile(1, "latency", "ends"),
    "latency_p90": _percentile(2, "latency", "ends"),
    "latency_p99": _percentile(3, "latency", "ends"),
    "latency_min": Metric(_extreme("min", "inf")),
    "latency_max": Metric(_extreme("max", "-inf")),
    "wait_p50": _percentile(1, "queue", "1"),
    "wait_p90": _percentile(2, "queue", "1"),
    "wait_p99": _percentile(3, "queue", "1"),
    "backlog": Metric(
        f"if(countIf({_is_told('backlog')}) = 0, NULL, sumIf(backlog.3, {_is_told('backlog')}))",
        field="backlog",
    ),
    "oldest_age": Metric(
        f"if(countIf({_is_told('age')}) = 0, NULL, maxIf(age.3, {_is_told('age')}))", field="age"
    ),
}


def timeseries(
    engine: Engine,
    known: Known,
    metric: str,
    from_s: float,
    to_s: float,
    step_s: float,
    by: Sequence[str],
    filters: Filters,
) -> TimeSeries:
    """A metric per step, one series per combination of the labels in `by`, by label.

    Steps are multiples of `step_s` since the epoch; the first and the last hold only what lies in
    the range. Where only a coarser level is kept (at the range's beginning), a step is at least one
    of its buckets long, and what lies before the first whole one is unknown.

    Args:
        engine: where the rows are.
        known: what is kept of them.
        metric: one of METRICS; or several of messages, or of queues, with commas between: each
            series then has the label `metric`, too.
        from_s: the range's beginning, epoch seconds.
        to_s: its end.
        step_s: seconds.
        by: labels.
        filters: which rows count.

    Raises:
        PayloadError: an unknown metric or label, a bad range, or too many values.
        StoreError: the engine refused.
    """
    asked = _asked(metric, by)
    family = QUEUES if _are_of_queues(asked) else MESSAGES
    whole = Span.of(from_s, to_s)
    span = settled(whole, family, known)
    step_ns = _kept_step_ns(_step_ns(from_s, to_s, step_s), known.finest_at(family, whole.from_ns))
    first, end = whole.from_ns // step_ns, -(-whole.to_ns // step_ns)
    names = list(dict.fromkeys(by))
    steps = Steps(step_ns)
    if _are_of_queues(asked):
        rows = _queues_told(asked, queue_rows(span, filters, known, steps))
    else:
        rows = ended_rows(span, filters, known, steps, names)
    answer = engine.query(_sql(asked, rows, names), parameters_of(filters))
    if _are_of_queues(asked) and filters.source is not None:
        answer = answer.slice(0, 0)  # queues know no source
    labels, series_of = _series_of(answer, names)
    _check_size(len(labels) * len(asked), end - first)
    if not labels and not names:
        labels = [{}]
    empty = _unheard(engine, asked, span, step_ns, (first, end))
    at = (series_of, answer.column("step").to_numpy() - first)
    series = []
    for name, what in asked.items():
        table = np.tile(empty if what.is_count else np.full(end - first, np.nan), (len(labels), 1))
        table[at] = answer.column(f"value_{name}").to_numpy().astype(np.float64)
        own = {"metric": name} if len(asked) > 1 else {}
        series += [
            Series(own | told, _told(row, what)) for told, row in zip(labels, table, strict=True)
        ]
    stamps = [float(number * step_ns / NS_A_SECOND) for number in range(first, end)]
    return TimeSeries(stamps, series)


def _asked(metric: str, by: Sequence[str]) -> dict[str, Metric]:
    asked = {name: _metric_of(name, by) for name in metric.split(",")}
    if len({what.is_of_queues for what in asked.values()}) > 1:
        raise PayloadError(f"metric={metric}: some are of messages, some of queues: ask twice")
    return asked


def _are_of_queues(asked: Mapping[str, Metric]) -> bool:
    return all(what.is_of_queues for what in asked.values())


def _metric_of(metric: str, by: Sequence[str]) -> Metric:
    if metric not in METRICS:
        raise PayloadError(f"unknown metric {metric!r}: accepted are {', '.join(METRICS)}")
    what = METRICS[metric]
    accepted = QUEUE_LABELS if what.is_of_queues else MESSAGE_LABELS
    for label in by:
        if label not in accepted:
            raise PayloadError(
                f"unknown label {label!r} in by: {metric} accepts {', '.join(accepted)}"
            )
    return what


def _step_ns(from_s: float, to_s: float, step_s: float) -> int:
    if not step_s >= 0.001:
        raise PayloadError(f"step: {step_s:g} s, accepted is 0.001 s or more")
    if not to_s > from_s:
        raise PayloadError(f"to ({to_s:g}) must lie after from ({from_s:g})")
    if (to_s - from_s) / step_s > MAX_STEPS:
        raise PayloadError(
            f"{(to_s - from_s) / step_s:.0f} steps, limit {MAX_STEPS}: ask for a longer step or a "
            "shorter range"
        )
    return to_ns(step_s)


def _kept_step_ns(step_ns: int, kept: Level | None) -> int:
    """The step, or the next longer one that can be cut from what is kept."""
    unit_ns = 1 if kept is None else kept.unit_ns
    return -(-step_ns // unit_ns) * unit_ns


def _sql(asked: Mapping[str, Metric], rows: str, names: Sequence[str]) -> str:
    keys = ", ".join(("step", *names))
    values = ", ".join(f"{what.sql} AS value_{name}" for name, what in asked.items())
    return f"SELECT {keys}, {values} FROM {rows} GROUP BY {keys}"


def _queues_told(asked: Mapping[str, Metric], rows: str) -> str:
    """The last values of each step and queue, where one of them was told."""
    told = " OR ".join(f"({_is_told(what.field)})" for what in asked.values())
    return (
        "(SELECT step, queue, tenant, integration, pipeline, max(backlog_last) AS backlog, "
        f"max(oldest_age_s_last) AS age FROM {rows} "
        f"GROUP BY step, queue, tenant, integration, pipeline HAVING {told})"
    )


def _unheard(
    engine: Engine,
    asked: Mapping[str, Metric],
    span: Span,
    step_ns: int,
    bounds: tuple[int, int],
) -> NDArray[np.float64]:
    """What a count is where it has no rows: NaN for unknown, 0 where others were seen."""
    first_step, end_step = bounds
    step_count = end_step - first_step
    values = np.full(step_count, np.nan)
    if any(what.is_count for what in asked.values()):
        minutes = seen_minutes(engine, *span.touched_minutes)
        for offset in (0, 59):  # a step longer than a minute is seen by either end of it
            at = (minutes * 60 + offset) * NS_A_SECOND // step_ns - first_step
            values[at[(at >= 0) & (at < step_count)]] = 0.0
        if step_ns < 60 * NS_A_SECOND:
            starts = (first_step + np.arange(step_count)) * step_ns
            values[np.isin(starts // (60 * NS_A_SECOND), minutes)] = 0.0
    return values


def _series_of(
    answer: pa.Table, names: Sequence[str]
) -> tuple[list[dict[str, str]], NDArray[np.int64]]:
    """The distinct labels, sorted, and for each row of the answer which of them it belongs to."""
    if not names:
        count = answer.num_rows
        return ([{}] if count else []), np.zeros(count, dtype=np.int64)
    distinct = answer.select(list(names)).group_by(list(names)).aggregate([])
    distinct = distinct.sort_by([(name, "ascending") for name in names])
    labels = distinct.to_pylist()
    numbered = distinct.append_column("series", pa.array(np.arange(distinct.num_rows)))
    rows = answer.select(list(names)).append_column("row", pa.array(np.arange(answer.num_rows)))
    joined = rows.join(numbered, keys=list(names)).sort_by("row")
    return labels, joined.column("series").to_numpy()


def _check_size(series_count: int, step_count: int) -> None:
    if series_count * step_count > MAX_VALUES:
        raise PayloadError(
            f"{series_count} series of {step_count} steps, limit {MAX_VALUES} values: ask for "
            "fewer labels in by, a filter, a longer step or a shorter range"
        )


def _told(row: NDArray[np.float64], what: Metric) -> list[float | None]:
    values = [None if np.isnan(value) else float(value) for value in row]
    if what.is_bucket:
        return [None if value is None else middle_s(int(value)) for value in values]
    return values
