"""What waits: backlog, age, and when it will be gone."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

import math
from typing import Any

from streamgauge.model.views import Filters, Percentiles, QueueFigures
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import NS_A_MINUTE, NS_A_SECOND, QUEUES
from streamgauge.store.queries.pieces import settled
from streamgauge.store.queries.rows import Steps, parameters_of, queue_rows
from streamgauge.store.queries.span import Span

RATE_MINUTES = 15
"""Rates are taken over the last minutes in which a queue of the range reported."""

_RAW = Steps(NS_A_SECOND)
"""Steps that rollups cannot answer: rates need every value, not each minute's last."""
Last = dict[str, Any]
_FIELDS = ("backlog", "in_total", "out_total")


def queue_figures(
    engine: Engine, known: Known, span: Span, filters: Filters, wait: Percentiles
) -> QueueFigures:
    """Sums over queues of the last values in the span. Queues know no source: then None.

    Raises:
        StoreError: the engine refused.
    """
    if filters.source is not None:
        return QueueFigures(wait=wait)
    parameters = parameters_of(filters)
    span = settled(span, QUEUES, known)
    lasts = engine.query(_lasts_sql(span, filters, known), parameters).to_pylist()
    backlogs = [_value(row["backlog"]) for row in lasts if _is_told(row["backlog"])]
    ages = [_value(row["age"]) for row in lasts if _is_told(row["age"])]
    newest_ns = max((row["backlog"]["1"] for row in lasts), default=-1)
    recent = Span(max(span.from_ns, newest_ns - RATE_MINUTES * NS_A_MINUTE), span.to_ns)
    return QueueFigures(
        backlog=sum(backlogs) if backlogs else None,
        oldest_age_s=max(ages) if ages else None,
        drain_eta_s=_drain_eta_s(engine, known, recent, filters) if any(backlogs) else None,
        wait=wait,
    )


def _lasts_sql(span: Span, filters: Filters, known: Known) -> str:
    return (
        "SELECT max(backlog_last) AS backlog, max(oldest_age_s_last) AS age "
        f"FROM {queue_rows(span, filters, known)} GROUP BY queue, pipeline, integration, tenant"
    )


def _drain_eta_s(engine: Engine, known: Known, span: Span, filters: Filters) -> float | None:
    """Seconds until all queues are empty at their rates; None: one of them never will be."""
    bounds = ", ".join(
        f"minIf({name}_last, {name}_last.1 >= 0) AS {name}_first, max({name}_last) AS {name}_end"
        for name in _FIELDS
    )
    rows = queue_rows(span, filters, known, _RAW)
    answer = engine.query(
        f"SELECT {bounds} FROM {rows} GROUP BY queue, pipeline, integration, tenant",
        parameters_of(filters),
    )
    etas = [_eta_of(row) for row in answer.to_pylist() if _is_told(row["backlog_end"])]
    told = [eta for eta in etas if eta is not None]
    return max(told) if told and len(told) == len(etas) else None


def _eta_of(row: Last) -> float | None:
    backlog = _value(row["backlog_end"])
    if backlog <= 0:
        return 0.0
    in_rate, out_rate = _rate(row, "in_total"), _rate(row, "out_total")
    if in_rate is not None and out_rate is not None and min(in_rate, out_rate) >= 0:
        falling = out_rate - in_rate
    else:
        falling = -(_rate(row, "backlog") or 0.0)
    return backlog / falling if falling > 0 else None


def _rate(row: Last, name: str) -> float | None:
    """Growth a second between the first and the last value; None: there are not two of them."""
    first, last = row[f"{name}_first"], row[f"{name}_end"]
    seconds = (last["1"] - first["1"]) / NS_A_SECOND
    if not _is_told(first) or not _is_told(last) or seconds <= 0:
        return None
    return float((_value(last) - _value(first)) / seconds)


def _is_told(last: Last) -> bool:
    """Whether there is a value, and its sender has not said since that it goes no further."""
    return bool(last["1"] >= 0) and math.isfinite(last["3"])


def _value(last: Last) -> float:
    return float(last["3"])
