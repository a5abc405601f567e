"""Which charts a page shows, as data for `assets/charts.js`: it asks `/api/v1/timeseries`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from streamgauge.model.incident import Incident
from streamgauge.model.words import Kind
from streamgauge.web.ranges import HOUR_S, nice_step


@dataclass(frozen=True, slots=True)
class Line:
    """One question to the API: a metric, and how its series are named."""

    metric: str
    name: str = ""
    by: str = ""
    """A label that cuts it into several series, named by its values."""
    only: tuple[str, ...] = ()
    """Of these values; empty for all of them."""

    @property
    def spec(self) -> dict[str, Any]:
        """What the browser needs."""
        return {
            "metric": self.metric,
            "name": self.name,
            "by": self.by,
            "only": list(self.only),
        }


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, over the last `range_s` seconds or a fixed range."""

    id: str
    title: str
    unit: str
    """`per_second`, `ratio`, `s` or `count`: how values are written."""
    lines: tuple[Line, ...]
    is_stacked: bool = False
    filters: dict[str, str] = field(default_factory=dict)
    range_s: float = HOUR_S
    from_s: float | None = None
    to_s: float | None = None
    marks: tuple[tuple[float, str], ...] = ()
    """(epoch seconds, word) of vertical lines."""

    @property
    def spec(self) -> dict[str, Any]:
        """What the browser needs."""
        length_s = (
            self.range_s if self.from_s is None or self.to_s is None else self.to_s - self.from_s
        )
        return {
            "title": self.title,
            "unit": self.unit,
            "lines": [line.spec for line in self.lines],
            "stacked": self.is_stacked,
            "filters": self.filters,
            "range": self.range_s,
            "from": self.from_s,
            "to": self.to_s,
            "step": nice_step(length_s),
            "marks": [{"at": at, "word": word} for at, word in self.marks],
        }


def percentile_lines(metric: str) -> tuple[Line, ...]:
    """p50, p90 and p99 of `latency` or `wait`."""
    return tuple(Line(f"{metric}_{part}", part) for part in ("p50", "p90", "p99"))


OUTCOMES = (Line("messages", by="outcome"),)
BACKLOG = (Line("backlog", "waiting"),)
OLDEST = (Line("oldest_age", "oldest"),)
ERROR_SHARE = (Line("error_ratio", "error share"),)


def hour_charts(filters: dict[str, str], *, with_queues: bool = True) -> list[Chart]:
    """The charts of the last hour of the platform or of what the filters select."""
    charts = [
        Chart("throughput", "Messages", "per_second", OUTCOMES, True, filters),
        Chart("errors", "Error share", "ratio", ERROR_SHARE, False, filters),
        Chart("latency", "Latency", "s", percentile_lines("latency"), False, filters),
        Chart("wait", "Time in queue", "s", percentile_lines("wait"), False, filters),
    ]
    if with_queues:
        charts += [
            Chart("backlog", "Backlog", "count", BACKLOG, False, filters),
            Chart("oldest", "Oldest waiting", "s", OLDEST, False, filters),
        ]
    return charts


Drawing = tuple[str, str, tuple[Line, ...]]
"""Title, unit, lines."""
TRAFFIC: Drawing = ("Messages", "per_second", OUTCOMES)
LATENCY: Drawing = ("Latency", "s", percentile_lines("latency"))
WAIT: Drawing = ("Time in queue", "s", percentile_lines("wait"))
SHARE: Drawing = ("Error share", "ratio", ERROR_SHARE)
BY_QUEUE: tuple[Drawing, ...] = (
    ("Oldest waiting", "s", (Line("oldest_age", by="queue"),)),
    ("Backlog", "count", (Line("backlog", by="queue"),)),
)
INCIDENT_CHARTS: dict[Kind, tuple[Drawing, ...]] = {
    Kind.ERRORS: (SHARE, TRAFFIC),
    Kind.BACKLOG: BY_QUEUE,
    Kind.LATENCY: (LATENCY, WAIT),
}
METRIC_CHARTS: tuple[tuple[str, tuple[Drawing, ...]], ...] = (
    ("latency", (LATENCY, TRAFFIC)),
    ("wait", (WAIT, TRAFFIC)),
    ("error", (SHARE, TRAFFIC)),
    ("backlog", BY_QUEUE),
    ("oldest_age", BY_QUEUE),
)
"""For a rule, by the beginning of its metric's name."""
LEAD_S = HOUR_S / 2
LEAD_RATIO = 3.0
"""Shown before an incident began, so that usual can be seen: half an hour, or as many times as long
as it took to be sure, for the silence of a day is no silence in half an hour."""
TRAIL_S = 900.0
CUSTOMERS_CHARTED = 4
MAX_SPAN_S = 14 * 86_400.0


def incident_charts(incident: Incident, now_s: float) -> list[Chart]:
    """The metric that an incident is about, from well before it to a little after."""
    ended_at = incident.closed_at
    to_s = now_s if ended_at is None else min(now_s, ended_at + TRAIL_S)
    began_at = min(incident.since, incident.opened_at)
    lead_s = max(LEAD_S, LEAD_RATIO * (incident.opened_at - began_at))
    from_s = max(began_at - lead_s, to_s - MAX_SPAN_S)
    step_s = nice_step(to_s - from_s)
    from_s, to_s = from_s // step_s * step_s, max(to_s // step_s, from_s // step_s + 1) * step_s
    marks = [(incident.since, "began"), (incident.opened_at, "opened")]
    if ended_at is not None:
        marks.append((ended_at, "closed"))
    return [
        Chart(
            f"incident-{number}",
            title,
            unit,
            lines,
            unit == "per_second",
            scope_filters(incident),
            HOUR_S,
            from_s,
            to_s,
            tuple(marks),
        )
        for number, (title, unit, lines) in enumerate(drawings_of(incident))
    ]


def scope_filters(incident: Incident) -> dict[str, str]:
    """The parameters that select an incident's messages."""
    names = ("tenant", "source", "integration", "pipeline")
    return {
        name: value for name, value in zip(names, incident.scope, strict=True) if value is not None
    }


def drawings_of(incident: Incident) -> tuple[Drawing, ...]:
    """What shows an incident best: by its kind, or by the metric of its rule.

    Where it hurts some customers of many, each of them has a line beside that of all.
    """
    if incident.kind is Kind.ERRORS and incident.scope.tenant is None and incident.affected:
        hurt = Line("error_ratio", by="tenant", only=incident.affected[:CUSTOMERS_CHARTED])
        return (("Error share", "ratio", (Line("error_ratio", "all customers"), hurt)), TRAFFIC)
    metric = str(incident.evidence.get("metric", "")) if incident.kind is Kind.RULE else ""
    of_metric = (found for start, found in METRIC_CHARTS if metric.startswith(start))
    return next(of_metric, INCIDENT_CHARTS.get(incident.kind, (TRAFFIC,)))
