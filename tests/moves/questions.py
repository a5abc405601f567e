"""What a store is asked before and after it is moved or upgraded: the answers must not change."""

from __future__ import annotations

import dataclasses
from typing import Any

from streamgauge.model.views import Filters
from streamgauge.store import Store

NOW = 1_764_000_000.0
"""2025-11-24T16:00:00Z, on an hour."""
HOUR_S, DAY_S = 3600.0, 86_400.0
EVERYONE = Filters()

RANGES: dict[str, tuple[float, float]] = {
    "the last five minutes": (NOW - 300, NOW),
    "half an hour, cut within minutes": (NOW - 1817.5, NOW - 13.25),
    "an hour of yesterday": (NOW - DAY_S - HOUR_S, NOW - DAY_S),
    "six days, cut within hours": (NOW - 6 * DAY_S + 700, NOW - 1700),
    "thirty days, to the hour": (NOW - 30 * DAY_S, NOW),
    "a year, to the day": (NOW - 365 * DAY_S - 16 * HOUR_S, NOW - 16 * HOUR_S),
}
"""From and to, epoch seconds."""
FILTERS = {
    "everyone": EVERYONE,
    "one customer": Filters(tenant="acme"),
    "one integration": Filters(integration="ga4"),
}
STEPS: dict[str, tuple[float, float, float]] = {
    "by the minute": (NOW - 3600, NOW, 60),
    "by the hour": (NOW - 3 * DAY_S, NOW, HOUR_S),
    "by the day": (NOW - 40 * DAY_S - 16 * HOUR_S, NOW - 16 * HOUR_S, DAY_S),
}
METRICS = (
    *("messages", "errors", "error_ratio", "bytes", "backlog", "oldest_age"),
    *("latency_p50", "latency_p90", "latency_p99"),
)
TABLES = {
    "points": "SELECT db, measurement, tags, field, time_ns, argMax(type, seq) AS type, "
    "argMax(value, seq) AS value, argMax(text, seq) AS text FROM points GROUP BY ALL ORDER BY ALL",
    "refused": "SELECT tenant, line_number, line, reason FROM rejected ORDER BY ALL",
    "seen": "SELECT minute, sum(lines) AS lines FROM seen_minute GROUP BY ALL ORDER BY ALL",
    "raw messages": "SELECT count() AS rows, sum(count) AS count, sum(bytes) AS bytes, "
    "sum(latency_s) AS latency_s FROM messages",
    "raw queue": "SELECT count() AS rows, sum(backlog) AS backlog FROM queue",
}
"""Rows no route asks for yet, in shapes that every schema has."""


def answers(store: Store) -> dict[str, Any]:
    """Every question's answer, as plain values.

    Args:
        store: open, and flushed.
    """
    found: dict[str, Any] = {}
    for words, (from_s, to_s) in RANGES.items():
        for who, filters in FILTERS.items():
            shown = dataclasses.asdict(store.overview(from_s, to_s, filters))
            shown.pop("capacity")  # a memory of questions asked before
            found[f"overview of {words}: {who}"] = shown
        rows = store.flows(from_s, to_s, ("tenant", "integration"), "messages", 100, EVERYONE)
        found[f"flows of {words}"] = [dataclasses.asdict(row) for row in rows]
    for words, (from_s, to_s, step_s) in STEPS.items():
        for metric in METRICS:
            by = () if metric in {"backlog", "oldest_age"} else ("tenant",)
            series = store.timeseries(metric, from_s, to_s, step_s, by, EVERYONE)
            found[f"{metric} {words}"] = dataclasses.asdict(series)
    return found | {name: _rows(store, sql) for name, sql in TABLES.items()}


def _rows(store: Store, sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store._engine.query(sql).to_pylist()
    return found


def differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two trees of answers differ; floats may differ in their last digits."""
    if isinstance(before, dict) and isinstance(after, dict):
        missing = [f"{path}/{key}: only on one side" for key in before.keys() ^ after.keys()]
        both = sorted(before.keys() & after.keys())
        return missing + [
            line for key in both for line in differences(before[key], after[key], f"{path}/{key}")
        ]
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) != len(after):
            return [f"{path}: {len(before)} items before, {len(after)} after"]
        pairs = enumerate(zip(before, after, strict=True))
        return [line for n, (a, b) in pairs for line in differences(a, b, f"{path}[{n}]")]
    if isinstance(before, float | int) and isinstance(after, float | int):
        is_same = abs(before - after) <= 1e-9 * max(abs(before), abs(after))
    else:
        is_same = before == after
    return [] if is_same else [f"{path}: {before!r} before, {after!r} after"]
