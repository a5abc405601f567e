"""Rows of `messages` and of `queue` inside a span, in one shape from rollups and raw rows.

A question selects the columns it needs; the engine does not read the others. Every value of a
caller is bound by the engine as a parameter, only numbers of our own stand in the text.
"""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.views import Filters
from streamgauge.model.words import EARLY_ENDS, FAILED
from streamgauge.store.histogram import SQL_BUCKET
from streamgauge.store.queries.span import NS_A_MINUTE, NS_A_SECOND, Span
from streamgauge.store.queuerollup import LAST_FIELDS

QUEUE_LABELS = ("tenant", "integration", "pipeline")
FAILED_SQL = ", ".join(f"'{outcome}'" for outcome in FAILED)
EARLY_ENDS_SQL = ", ".join(f"'{outcome}'" for outcome in EARLY_ENDS)


def parameters_of(filters: Filters) -> dict[str, str]:
    """The values that `conditions_of` refers to."""
    names = ("tenant", "source", "integration", "pipeline")
    told = {name: getattr(filters, name) for name in names}
    return {name: value for name, value in told.items() if value is not None}


def conditions_of(filters: Filters, labels: tuple[str, ...] | None = None) -> str:
    """` AND …` for the filters that are set (and among `labels`)."""
    names = [name for name in parameters_of(filters) if labels is None or name in labels]
    return "".join(f" AND {name} = {{{name}:String}}" for name in names)


@dataclass(frozen=True, slots=True)
class Steps:
    """How event time is cut for a chart: multiples of a step since the epoch."""

    step_ns: int

    @property
    def is_of_minutes(self) -> bool:
        """Whether rollups can answer."""
        return self.step_ns % NS_A_MINUTE == 0

    def sql(self, time_ns: str) -> str:
        """The number of the step in which an expression of nanoseconds lies."""
        return f"intDiv({time_ns}, {self.step_ns})"


ONE_STEP = Steps(NS_A_MINUTE)


def message_rows(span: Span, filters: Filters, steps: Steps = ONE_STEP) -> str:
    """A subquery: step, labels, stage, outcome, count, bytes, and both histograms as arrays."""
    labels = "tenant, source, integration, pipeline, stage, outcome, count, bytes"
    where = conditions_of(filters)
    whole, edges = _pieces(span, steps)
    pieces = [
        f"SELECT {steps.sql(f'minute * {NS_A_MINUTE}')} AS step, {labels}, "
        "mapKeys(latency_hist) AS latency_buckets, mapValues(latency_hist) AS latency_weights, "
        "mapKeys(queue_hist) AS queue_buckets, mapValues(queue_hist) AS queue_weights "
        f"FROM minute WHERE minute >= {first} AND minute < {end}{where}"
        for first, end in whole
    ]
    pieces += [
        f"SELECT {steps.sql('time_ns')} AS step, {labels}, "
        f"{_arrays('latency_s', 'latency')}, {_arrays('queue_s', 'queue')} "
        f"FROM messages WHERE {_between(low, high)}{where}"
        for low, high in edges
    ]
    return f"({' UNION ALL '.join(pieces)})"


def queue_rows(span: Span, filters: Filters, steps: Steps = ONE_STEP) -> str:
    """A subquery: step, labels, queue, and the last values as (time_ns, seq, value) tuples."""
    labels = ", ".join(("queue", *QUEUE_LABELS))
    where = conditions_of(filters, QUEUE_LABELS)
    lasts = ", ".join(f"{name}_last" for name in LAST_FIELDS)
    raw_lasts = ", ".join(
        f"if(isNull({name}), (-1, 0, 0.), (time_ns, seq, assumeNotNull({name}))) AS {name}_last"
        for name in LAST_FIELDS
    )
    whole, edges = _pieces(span, steps)
    pieces = [
        f"SELECT {steps.sql(f'minute * {NS_A_MINUTE}')} AS step, {labels}, {lasts} "
        f"FROM queue_minute WHERE minute >= {first} AND minute < {end}{where}"
        for first, end in whole
    ]
    pieces += [
        f"SELECT {steps.sql('time_ns')} AS step, {labels}, {raw_lasts} "
        f"FROM queue WHERE {_between(low, high)}{where}"
        for low, high in edges
    ]
    return f"({' UNION ALL '.join(pieces)})"


def _pieces(span: Span, steps: Steps) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Ranges of minutes for the rollup, of nanoseconds for raw rows; at least one of them."""
    first, end = span.whole_minutes
    if not steps.is_of_minutes or (first == end and not span.edges_ns()):
        return [], [(span.from_ns, span.to_ns)]
    return ([(first, end)] if first < end else []), span.edges_ns()


def _between(low_ns: int, high_ns: int) -> str:
    """Also in whole minutes, which is how raw rows are sorted."""
    return (
        f"time_ns >= {low_ns} AND time_ns < {high_ns} "
        f"AND intDiv(time_ns, {NS_A_MINUTE}) >= {low_ns // NS_A_MINUTE} "
        f"AND intDiv(time_ns, {NS_A_MINUTE}) <= {high_ns // NS_A_MINUTE}"
    )


def _arrays(seconds: str, name: str) -> str:
    bucket = SQL_BUCKET.format(f"assumeNotNull({seconds})")
    return (
        f"if(isNull({seconds}), [], [{bucket}]) AS {name}_buckets, "
        f"if(isNull({seconds}), [], [count]) AS {name}_weights"
    )


def seconds_of_minute(minute: int) -> float:
    """The start of a minute since the epoch, in epoch seconds."""
    return minute * NS_A_MINUTE / NS_A_SECOND
