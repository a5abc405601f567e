"""Flows, or what they add up to, in the order of trouble."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamgauge.model.errors import PayloadError
from streamgauge.model.views import Filters, FlowRow
from streamgauge.store.columns import FLOW_KEY
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import MESSAGES, NS_A_SECOND
from streamgauge.store.queries.ends import is_end
from streamgauge.store.queries.pieces import settled
from streamgauge.store.queries.rows import (
    FAILED_SQL,
    conditions_of,
    message_rows,
    parameters_of,
)
from streamgauge.store.queries.seen import is_seen
from streamgauge.store.queries.span import Span
from streamgauge.store.rollup.histogram import middle_s

MAX_LIMIT = 10_000
_COUNTS = ("messages", "errors", "filtered")

SORTS = {
    "errors": "errors DESC, messages DESC",
    "error_ratio": "error_ratio DESC NULLS LAST, errors DESC",
    "messages": "messages DESC",
    "last_seen": "last_ns ASC",
    "name": "",
}


def flows(
    engine: Engine,
    known: Known,
    from_s: float,
    to_s: float,
    by: Sequence[str],
    sort: str,
    limit: int,
    filters: Filters,
) -> list[FlowRow]:
    """Rows per combination of `by`, also those that sent nothing in the range.

    A count is 0 where anyone's line is stamped in the range, and None where nobody's is: then we
    did not see. What only durations are known of (histograms beside a counter with other labels) is
    no row.

    With `stage` in `by`, a row counts what passed that stage (all but retried attempts), without
    it the ends of messages.

    Raises:
        PayloadError: an unknown `by` or `sort`, or a limit out of range.
        StoreError: the engine refused.
    """
    names = _checked(by, sort, limit)
    span = settled(Span.of(from_s, to_s), MESSAGES, known)
    found = engine.query(
        _sql(span, known, names, sort, filters) + " LIMIT {limit:UInt64}",
        {**parameters_of(filters), "limit": limit},
    ).to_pylist()
    has_seen = any(row[count] for row in found for count in _COUNTS) or is_seen(engine, span)
    return [_row_of(row, names, has_seen=has_seen) for row in found]


def _checked(by: Sequence[str], sort: str, limit: int) -> list[str]:
    names = list(dict.fromkeys(by))
    for name in names:
        if name not in FLOW_KEY:
            raise PayloadError(f"unknown label {name!r} in by: accepted are {', '.join(FLOW_KEY)}")
    if not names:
        raise PayloadError(f"by is empty: name one or more of {', '.join(FLOW_KEY)}")
    if sort not in SORTS:
        raise PayloadError(f"unknown sort {sort!r}: accepted are {', '.join(SORTS)}")
    if not 1 <= limit <= MAX_LIMIT:
        raise PayloadError(f"limit: {limit}, accepted are 1 to {MAX_LIMIT}")
    return names


def _sql(span: Span, known: Known, names: Sequence[str], sort: str, filters: Filters) -> str:
    keys = ", ".join(names)
    counts = "outcome != 'retried'" if "stage" in names else is_end(filters, known)
    order = ", ".join(filter(None, (SORTS[sort], keys)))
    return f"""
SELECT {keys}, sum(m) AS messages, sum(e) AS errors, sum(f) AS filtered, max(last) AS last_ns,
    if(sum(e) + sum(o) = 0, NULL, sum(e) / (sum(e) + sum(o))) AS error_ratio, max(p) AS p99
FROM (
    SELECT {keys}, sumIf(count, counted) AS m, sumIf(count, outcome IN ({FAILED_SQL})) AS e,
        sumIf(count, counted AND outcome = 'ok') AS o, sumIf(count, outcome = 'filtered') AS f,
        toInt64(-1) AS last,
        if(sumIf(length(latency_buckets), counted) = 0, NULL, quantileExactWeightedArrayIf(0.99)
            (latency_buckets, latency_weights, counted)) AS p
    FROM (SELECT *, {counts} AS counted FROM {message_rows(span, filters, known)}) GROUP BY {keys}
    UNION ALL
    SELECT {keys}, 0, 0, 0, 0, max(last_ns), NULL FROM last_seen
    WHERE 1{conditions_of(filters)} GROUP BY {keys})
GROUP BY {keys} HAVING last_ns >= 0 ORDER BY {order}"""


def _row_of(row: dict[str, Any], names: Sequence[str], *, has_seen: bool) -> FlowRow:
    messages, errors, filtered = (int(row[name]) if has_seen else None for name in _COUNTS)
    return FlowRow(
        labels={name: row[name] for name in names},
        messages=messages,
        errors=errors,
        filtered=filtered,
        error_ratio=row["error_ratio"],
        last_seen_at=row["last_ns"] / NS_A_SECOND if row["last_ns"] >= 0 else None,
        latency_p99_s=None if row["p99"] is None else middle_s(row["p99"]),
    )
