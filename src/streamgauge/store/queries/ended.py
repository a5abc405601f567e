"""Rows of `messages` with whether they end messages: from sums of the whole platform where a
question is about nobody in particular, else by flow.

The platform's minutes do not know flows, so those whose last stage stands in (see `ends`) are added
to them by flow: rows that count as ends and as nothing else.
"""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Sequence

from streamgauge.model.views import Filters
from streamgauge.store.kept import Known
from streamgauge.store.levels import HOUR, MESSAGES, MINUTE, PLATFORM
from streamgauge.store.queries.ends import is_end, standing_in
from streamgauge.store.queries.pieces import Piece, cut
from streamgauge.store.queries.rows import (
    DURATIONS_SQL,
    EARLY_ENDS_SQL,
    ONE_STEP,
    Steps,
    parameters_of,
    rows_of,
)
from streamgauge.store.queries.span import Span

_MINUTES_AN_HOUR = HOUR.unit_ns // MINUTE.unit_ns
_COLUMNS = (
    "step, stage, outcome, count, bytes, latency_buckets, latency_weights, queue_buckets, "
    "queue_weights, latency_min, latency_max"
)
DELIVERED_SQL = "(outcome != 'retried' AND stage = 'delivered')"


def ended_rows(
    span: Span,
    filters: Filters,
    known: Known,
    steps: Steps = ONE_STEP,
    labels: Sequence[str] = (),
) -> str:
    """A subquery: `message_rows` and `ends`; of the labels at least those that are asked for."""
    pieces = cut(span, steps.step_ns, MESSAGES, known)
    whole = _of_platform(pieces, known) if is_about_all(filters, labels) else []
    if not whole:
        return (
            f"(SELECT *, {is_end(filters, known)} AS ends FROM {rows_of(pieces, filters, steps)})"
        )
    selects = [_platform(piece, steps) for piece in whole]
    if others := [piece for piece in pieces if piece not in whole]:
        rows = rows_of(others, filters, steps)
        selects.append(f"SELECT {_COLUMNS}, {is_end(filters, known)} AS ends FROM {rows}")
    if known.may_stand_in:
        selects.append(_standing_in(rows_of(whole, filters, steps)))
    return f"({' UNION ALL '.join(selects)})"


def is_about_all(filters: Filters, labels: Sequence[str] = ()) -> bool:
    """Whether a question needs no flow to be told from another."""
    return not parameters_of(filters) and set(labels) <= {"outcome"}


def _of_platform(pieces: Sequence[Piece], known: Known) -> list[Piece]:
    """Minutes and hours of which the platform's minutes are kept."""
    kept_ns = known.begins_ns(MESSAGES, MINUTE)
    return [
        piece
        for piece in pieces
        if piece.level in (MINUTE, HOUR)
        and all(low * piece.level.unit_ns >= kept_ns for low, _ in piece.ranges)
    ]


def _platform(piece: Piece, steps: Steps) -> str:
    scale = _MINUTES_AN_HOUR if piece.level == HOUR else 1
    minutes = Piece(MINUTE, tuple((low * scale, high * scale) for low, high in piece.ranges))
    return (
        f"SELECT {steps.of(minutes)}, stage, outcome, count, bytes, {DURATIONS_SQL}, "
        f"(outcome IN ({EARLY_ENDS_SQL}) OR {DELIVERED_SQL}) AS ends "
        f"FROM {PLATFORM} WHERE {minutes.condition(MINUTE.name)}"
    )


def _standing_in(rows: str) -> str:
    """Their waits and stages are in the platform's rows already."""
    theirs = (
        f"(SELECT * FROM {rows} "
        f"WHERE outcome NOT IN ({EARLY_ENDS_SQL}, 'retried') AND stage != 'delivered' "
        f"AND (tenant, source, integration, stage) IN {standing_in(Filters())})"
    )
    return (
        "SELECT step, toLowCardinality('') AS stage, outcome, count, bytes, latency_buckets, "
        "latency_weights, emptyArrayInt16() AS queue_buckets, emptyArrayUInt64() AS queue_weights, "
        f"latency_min, latency_max, toUInt8(1) AS ends FROM {theirs}"
    )
