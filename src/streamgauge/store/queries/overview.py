"""The key metrics of a range."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from streamgauge.model.views import CapacityFigures, Filters, Overview
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import MESSAGES
from streamgauge.store.queries.capacity import CapacityMemory, most_per_second
from streamgauge.store.queries.ended import ended_rows
from streamgauge.store.queries.pieces import settled
from streamgauge.store.queries.queues import queue_figures
from streamgauge.store.queries.rows import (
    FAILED_SQL,
    conditions_of,
    parameters_of,
)
from streamgauge.store.queries.seen import is_seen
from streamgauge.store.queries.span import Span
from streamgauge.store.rollup.histogram import percentiles_of

_QUANTILES = "quantilesExactWeightedArrayIf(0.5, 0.9, 0.99)"


def overview(
    engine: Engine,
    known: Known,
    from_s: float,
    to_s: float,
    filters: Filters,
    memory: CapacityMemory,
) -> Overview:
    """The key metrics of a range.

    A count is 0 where anyone's line is stamped in the range, and None where nobody's is: then we
    did not see. Where rows as received are gone, the range's ends move on to the next border of
    what is kept.
    """
    span = settled(Span.of(from_s, to_s), MESSAGES, known)
    rows = ended_rows(span, filters, known)
    found = engine.query(_sums_sql(rows), parameters_of(filters)).to_pylist()[0]
    has_seen = bool(found["rows"]) or is_seen(engine, span)
    has_received = has_seen and _ever_received(engine, filters)
    messages, errors, ok = (int(found[name]) for name in ("messages", "errors", "ok"))
    per_second = messages / span.seconds if has_seen and span.seconds else None
    wait = percentiles_of(found["wait"] if found["wait_count"] else None)
    return Overview(
        messages=messages if has_seen else None,
        received=int(found["received"]) if has_received else None,
        errors=errors if has_seen else None,
        filtered=int(found["filtered"]) if has_seen else None,
        messages_per_second=per_second,
        success_ratio=ok / (ok + errors) if ok + errors else None,
        error_ratio=errors / (ok + errors) if ok + errors else None,
        latency=percentiles_of(found["latency"] if found["latency_count"] else None),
        queue=queue_figures(engine, known, span, filters, wait),
        capacity=_capacity(engine, known, span, filters, per_second, memory),
    )


def _sums_sql(rows: str) -> str:
    return f"""
SELECT count() AS rows,
    sumIf(count, ends) AS messages,
    sumIf(count, stage = 'received' AND outcome != 'retried') AS received,
    sumIf(count, outcome IN ({FAILED_SQL})) AS errors,
    sumIf(count, ends AND outcome = 'ok') AS ok,
    sumIf(count, outcome = 'filtered') AS filtered,
    {_QUANTILES}(latency_buckets, latency_weights, ends) AS latency,
    sumIf(length(latency_buckets), ends) AS latency_count,
    {_QUANTILES}(queue_buckets, queue_weights, 1) AS wait,
    sum(length(queue_buckets)) AS wait_count
FROM {rows}"""


def _ever_received(engine: Engine, filters: Filters) -> bool:
    answer = engine.query(
        "SELECT count() AS n FROM (SELECT 1 FROM last_seen "
        f"WHERE stage = 'received'{conditions_of(filters)} LIMIT 1)",
        parameters_of(filters),
    )
    return bool(answer.column("n")[0].as_py())


def _capacity(
    engine: Engine,
    known: Known,
    span: Span,
    filters: Filters,
    per_second: float | None,
    memory: CapacityMemory,
) -> CapacityFigures:
    most = most_per_second(engine, known, span, filters, memory)
    if most is None or per_second is None:
        return CapacityFigures(messages_per_second=most)
    return CapacityFigures(messages_per_second=most, utilization_ratio=per_second / most)
