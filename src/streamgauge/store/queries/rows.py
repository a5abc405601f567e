"""Rows of `messages` and of `queue` inside a span, in one shape from all levels and raw rows.

A question selects the columns it needs; the engine does not read the others. Every value of a
caller is bound by the engine as a parameter, only numbers of our own stand in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.model.views import Filters
from streamgauge.model.words import EARLY_ENDS, FAILED
from streamgauge.store.kept import Known
from streamgauge.store.levels import MESSAGES, NS_A_MINUTE, QUEUES, Family
from streamgauge.store.queries.pieces import Piece, cut
from streamgauge.store.queries.span import Span
from streamgauge.store.rollup.histogram import SQL_BUCKET
from streamgauge.store.rollup.queuerollup import LAST_FIELDS

QUEUE_LABELS = ("tenant", "integration", "pipeline")
FAILED_SQL = ", ".join(f"'{outcome}'" for outcome in FAILED)
EARLY_ENDS_SQL = ", ".join(f"'{outcome}'" for outcome in EARLY_ENDS)
DURATIONS_SQL = (
    "mapKeys(latency_hist) AS latency_buckets, mapValues(latency_hist) AS latency_weights, "
    "mapKeys(queue_hist) AS queue_buckets, mapValues(queue_hist) AS queue_weights, "
    "latency_min, latency_max"
)


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

    step_ns: int | None
    """None: it is not cut."""

    def sql(self, time_ns: str) -> str:
        """The number of the step in which an expression of nanoseconds lies."""
        return "toInt64(0)" if self.step_ns is None else f"intDiv({time_ns}, {self.step_ns})"

    def of(self, piece: Piece) -> str:
        """The same for the rows of a piece, named `step`."""
        level = piece.level
        return f"{self.sql(f'{level.name} * {level.unit_ns}' if level else 'time_ns')} AS step"


ONE_STEP = Steps(None)


def message_rows(span: Span, filters: Filters, known: Known, steps: Steps = ONE_STEP) -> str:
    """A subquery: step, labels, stage, outcome, count, bytes, histograms as arrays, extremes."""
    return rows_of(cut(span, steps.step_ns, MESSAGES, known), filters, steps)


def rows_of(pieces: Sequence[Piece], filters: Filters, steps: Steps) -> str:
    """`message_rows` of pieces, at least one."""
    labels = "tenant, source, integration, pipeline, stage, outcome, count, bytes"
    return _union(
        "SELECT {step}, " + f"{labels}, {DURATIONS_SQL}",
        "SELECT {step}, " + f"{labels}, "
        f"{_arrays('latency_s', 'latency')}, {_arrays('queue_s', 'queue')}, "
        "toFloat32(ifNull(latency_s, inf)) AS latency_min, "
        "toFloat32(ifNull(latency_s, -inf)) AS latency_max",
        conditions_of(filters),
        MESSAGES,
        pieces,
        steps,
    )


def queue_rows(span: Span, filters: Filters, known: Known, steps: Steps = ONE_STEP) -> str:
    """A subquery: step, labels, queue, and the last values as (time_ns, seq, value) tuples."""
    labels = ", ".join(("queue", *QUEUE_LABELS))
    lasts = ", ".join(f"{name}_last" for name in LAST_FIELDS)
    raw_lasts = ", ".join(
        f"if(isNull({name}), (-1, 0, 0.), (time_ns, seq, assumeNotNull({name}))) AS {name}_last"
        for name in LAST_FIELDS
    )
    return _union(
        "SELECT {step}, " + f"{labels}, {lasts}",
        "SELECT {step}, " + f"{labels}, {raw_lasts}",
        conditions_of(filters, QUEUE_LABELS),
        QUEUES,
        cut(span, steps.step_ns, QUEUES, known),
        steps,
    )


def _union(
    summed: str, raw: str, where: str, family: Family, pieces: Sequence[Piece], steps: Steps
) -> str:
    """The pieces' rows as one subquery; both selects name their step by `{step}`."""
    selects = []
    for piece in pieces:
        if piece.level is None:
            inside = " OR ".join(f"({_between(low, high)})" for low, high in piece.ranges)
            select = f"{raw} FROM {family.raw} WHERE ({inside}){where}"
        else:
            inside = piece.condition(piece.level.name)
            select = f"{summed} FROM {family.table(piece.level)} WHERE {inside}{where}"
        selects.append(select.replace("{step}", steps.of(piece)))
    return f"({' UNION ALL '.join(selects)})"


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
        f"if(isNull({seconds}), [], [if(weight = 0, count, weight)]) AS {name}_weights"
    )
