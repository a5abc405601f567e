"""Key metrics of a platform that does not exist, the same on every run of a seed.

What the pages and the API read in tests and while they are being designed. Every minute's figures
depend on the seed and that minute alone, so any two questions agree about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.errors import PayloadError
from streamgauge.model.stored import StoredCount
from streamgauge.model.views import (
    CapacityFigures,
    Filters,
    FlowRow,
    Lag,
    Overview,
    Percentiles,
    QueueFigures,
    Series,
    TimeSeries,
)
from streamgauge.testing.flows import FILTERED_SHARE, FakeFlow, Floats, Sent
from streamgauge.testing.journeys import FakeJourneys

NAMES = (
    "northwind", "acme", "globex", "initech", "umbrella", "hooli", "vandelay", "wonka", "stark",
    "wayne", "tyrell", "cyberdyne", "soylent", "aperture", "monarch", "oscorp", "massive",
    "pied-piper", "dunder", "sterling", "gringotts", "duff", "bluth",
)  # fmt: skip
SOURCES = ("web", "ios", "server")
INTEGRATIONS = ("ga4", "s3", "webhook", "bigquery")
LABELS = ("tenant", "source", "integration", "pipeline", "outcome", "queue")
SORTS: dict[str, Callable[[FlowRow], object]] = {
    "errors": lambda row: -(row.errors or 0),
    "error_ratio": lambda row: -(row.error_ratio or 0.0),
    "messages": lambda row: -(row.messages or 0),
    "last_seen": lambda row: row.last_seen_at or 0.0,
    "name": lambda row: tuple(row.labels.values()),
}
DURATIONS_S = {
    "latency_p50": 0.142, "latency_p90": 0.41, "latency_p99": 1.32,
    "wait_p50": 0.031, "wait_p90": 0.12, "wait_p99": 0.46,
}  # fmt: skip


@dataclass(slots=True)
class FakeMetrics(FakeJourneys):
    """Answers like a store that holds the last hours of some customers of very different sizes."""

    now: Callable[[], float]
    tenants: Sequence[str] = NAMES
    silent: dict[str, float] = field(default_factory=dict)
    """Tenants that stopped, with the instant, epoch seconds."""
    failing: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Integrations that fail: since when, epoch seconds, and their error share."""
    seed: int = 7
    failure: Exception | None = None
    """Raised instead of every answer."""

    def overview(self, from_s: float, to_s: float, filters: Filters) -> Overview:
        """As `Metrics.overview`."""
        flows, to_s = self._chosen(filters), min(to_s, self.now())
        counts = [self._sent(flow, from_s, to_s) for flow in flows]
        messages, errors = (
            (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
        )
        if not messages:
            is_seen = any(self._sent(flow, from_s, to_s)[0] for flow in self._all_flows())
            return none_seen() if is_seen else nothing_known()
        filtered = round(messages * FILTERED_SHARE)
        ended = messages - filtered
        backlog = float(self._wave("backlog", np.array([to_s // 60]))[0] * 820)
        return Overview(
            messages=messages,
            received=round(messages / 1.8),
            errors=errors,
            filtered=filtered,
            messages_per_second=messages / (to_s - from_s),
            success_ratio=(ended - errors) / ended,
            error_ratio=errors / ended,
            latency=Percentiles(0.142, 0.41, 1.32),
            queue=QueueFigures(backlog // 1, 4.2, backlog / 900, Percentiles(0.031, 0.12, 0.46)),
            capacity=CapacityFigures(2600.0, 0.57, self.now() + 86_400 * 41),
        )

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        """As `Metrics.timeseries`."""
        self._fail_if_told()
        if unknown := set(by) - set(LABELS):
            raise PayloadError(f"by={min(unknown)!r} is not a label: take {', '.join(LABELS)}")
        grid = np.arange(from_s, to_s, step_s)
        flows = self._chosen(filters)
        metrics = metric.split(",")
        groups: dict[tuple[tuple[str, str], ...], list[FakeFlow]] = {}
        for flow in flows:
            labels = tuple((name, value) for name, value in flow.labels.items() if name in by)
            groups.setdefault(labels, []).append(flow)
        series = [
            replace(one, labels={"metric": name, **one.labels}) if len(metrics) > 1 else one
            for name in metrics
            for labels, members in groups.items()
            for one in self._series(name, self._sum(members, grid, step_s), by, dict(labels))
        ]
        return TimeSeries(grid.tolist(), series)

    def _sum(self, flows: Sequence[FakeFlow], grid: Floats, step_s: float) -> Sent:
        rates = [self._rates(flow, grid) * step_s / 60 for flow in flows]
        failed = [
            rate * self._error_ratios(flow, grid) for flow, rate in zip(flows, rates, strict=True)
        ]
        return Sent(grid, np.sum(rates, axis=0), np.sum(failed, axis=0))

    def flows(
        self,
        from_s: float,
        to_s: float,
        by: Sequence[str],
        sort: str,
        limit: int,
        filters: Filters,
    ) -> list[FlowRow]:
        """As `Metrics.flows`."""
        to_s = min(to_s, self.now())
        rows: dict[tuple[str, ...], FlowRow] = {}
        for flow in self._chosen(filters):
            row = self._row(flow, from_s, to_s, by)
            key = tuple(row.labels.values())
            rows[key] = _added(rows[key], row) if key in rows else row
        found = sorted(rows.values(), key=SORTS[sort])[:limit]  # type: ignore[arg-type]
        if any(self._sent(flow, from_s, to_s)[0] for flow in self._all_flows()):
            return found
        return [replace(row, messages=None, errors=None, filtered=None) for row in found]

    def stored(self, from_s: float, to_s: float) -> list[StoredCount]:
        """As `Metrics.stored`."""
        self._fail_if_told()
        return [StoredCount("", "messages", round(to_s - from_s))]

    def lag(self) -> Lag:
        """As `Metrics.lag`."""
        return Lag()

    def _chosen(self, filters: Filters) -> list[FakeFlow]:
        self._fail_if_told()
        return [
            flow
            for flow in self._all_flows()
            if filters.tenant in {None, flow.tenant}
            and filters.source in {None, flow.source}
            and filters.integration in {None, flow.integration}
            and filters.pipeline in {None, "main"}
        ]

    def _fail_if_told(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _all_flows(self) -> list[FakeFlow]:
        made = []
        for rank, tenant in enumerate(self.tenants):
            for index, (source, integration) in enumerate(product(SOURCES, INTEGRATIONS)):
                if (rank + index) % 5 < 3:
                    continue
                error_ratio = 0.004 + 0.003 * ((rank * 7 + index) % 4)
                made.append(
                    FakeFlow(
                        tenant,
                        source,
                        integration,
                        9000 / (rank + 1) ** 1.3 / (index + 1),
                        error_ratio,
                        self.silent.get(tenant),
                        self.failing.get(integration),
                    )
                )
        return made

    def _sent(self, flow: FakeFlow, from_s: float, to_s: float) -> tuple[int, int]:
        """Messages and errors of a flow in a range; whole minutes, the last one in part."""
        at = np.arange(from_s // 60, to_s // 60 + 1) * 60
        rates = self._rates(flow, at)
        rates[-1] *= (to_s % 60) / 60
        return round(float(rates.sum())), round(float((rates * self._error_ratios(flow, at)).sum()))

    def _error_ratios(self, flow: FakeFlow, at: Floats) -> Floats:
        usual = flow.error_ratio * self._wave(flow.tenant, at // 60)
        if flow.failing is None:
            return usual
        since_s, ratio = flow.failing
        return np.where(at >= since_s, ratio, usual)

    def _rates(self, flow: FakeFlow, at: Floats) -> Floats:
        """Messages a minute at instants (epoch seconds)."""
        wave = self._wave(f"{flow.tenant}{flow.source}{flow.integration}", at // 60)
        rates = flow.per_minute * wave
        ended_at = self.now() if flow.silent_since_s is None else flow.silent_since_s
        return np.where(at < ended_at, rates, 0.0)

    def _wave(self, name: str, minutes: Floats) -> Floats:
        """Around 1: a slow swing and noise that depend on the minute alone."""
        salt = float(sum(ord(letter) * (i + 3) for i, letter in enumerate(name)) + self.seed)
        noise = np.modf(np.abs(np.sin(minutes * 12.9898 + salt) * 43758.5453))[0]
        swing: Floats = 1 + 0.16 * np.sin(minutes / 17 + salt) + 0.16 * (noise - 0.5)
        return swing

    def _series(
        self, metric: str, sent: Sent, by: Sequence[str], labels: dict[str, str]
    ) -> list[Series]:
        is_missing = (sent.at > self.now()) | (sent.messages == 0)
        if metric == "messages" and "outcome" in by:
            return [
                Series(labels | {"outcome": name}, _optional(values, is_missing))
                for name, values in sent.by_outcome().items()
            ]
        return [Series(labels, _optional(self._values(metric, sent), is_missing))]

    def _values(self, metric: str, sent: Sent) -> Floats:
        wave = self._wave(metric, sent.at // 60)
        if metric in DURATIONS_S:
            return DURATIONS_S[metric] * wave
        ratios = np.divide(
            sent.errors, sent.messages, out=np.zeros_like(sent.errors), where=sent.messages > 0
        )
        shapes: dict[str, Floats] = {
            "messages": np.round(sent.messages),
            "received": np.round(sent.messages / 1.8),
            "errors": np.round(sent.errors),
            "filtered": np.round(sent.messages * FILTERED_SHARE),
            "error_ratio": ratios,
            "backlog": np.round(820 * wave**2),
            "oldest_age": 4.2 * wave**2,
            "bytes": np.round(sent.messages * 512),
        }
        if metric not in shapes:
            known = ", ".join((*shapes, *DURATIONS_S))
            raise PayloadError(f"metric={metric!r} is not known: take {known}")
        return shapes[metric]

    def _row(self, flow: FakeFlow, from_s: float, to_s: float, by: Sequence[str]) -> FlowRow:
        labels = flow.labels
        if unknown := set(by) - set(labels):
            raise PayloadError(f"by={min(unknown)!r} is not a label: take {', '.join(labels)}")
        messages, errors = self._sent(flow, from_s, to_s)
        seconds_between = 60 / flow.per_minute
        return FlowRow(
            labels={name: labels[name] for name in by},
            messages=messages,
            errors=errors,
            filtered=round(messages * FILTERED_SHARE),
            error_ratio=errors / messages if messages else None,
            last_seen_at=flow.silent_since_s or self.now() - min(seconds_between, 900),
            latency_p99_s=1.32 if messages else None,
        )


def nothing_known() -> Overview:
    """What a store answers about a range in which it saw nothing."""
    return Overview(
        None, None, None, None, None, None, None, Percentiles(), QueueFigures(), CapacityFigures()
    )


def none_seen() -> Overview:
    """What it answers about someone who sent nothing while others spoke."""
    return replace(nothing_known(), messages=0, errors=0, filtered=0, messages_per_second=0.0)


def _optional(values: Floats, is_missing: NDArray[np.bool_]) -> list[float | None]:
    return [
        None if missing else float(value) for value, missing in zip(values, is_missing, strict=True)
    ]


def _added(one: FlowRow, other: FlowRow) -> FlowRow:
    messages = (one.messages or 0) + (other.messages or 0)
    errors = (one.errors or 0) + (other.errors or 0)
    return replace(
        one,
        messages=messages,
        errors=errors,
        filtered=(one.filtered or 0) + (other.filtered or 0),
        error_ratio=errors / messages if messages else None,
        last_seen_at=max(one.last_seen_at or 0.0, other.last_seen_at or 0.0) or None,
    )
