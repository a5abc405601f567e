"""The JSON shapes of DESIGN section 4. Unknown is null; instants (`_at`) are RFC 3339."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from streamgauge.model.clock import rfc3339
from streamgauge.model.incident import Incident, api_shape
from streamgauge.model.notification import Notification
from streamgauge.model.views import FlowRow, Lag, Overview, Percentiles, TimeSeries
from streamgauge.model.words import Health

Json = dict[str, Any]


def overview_shape(overview: Overview, health: Health, lag: Lag) -> Json:
    """`/api/v1/overview`."""
    return {
        "messages": overview.messages,
        "received": overview.received,
        "errors": overview.errors,
        "filtered": overview.filtered,
        "messages_per_second": known(overview.messages_per_second),
        "success_ratio": known(overview.success_ratio),
        "error_ratio": known(overview.error_ratio),
        "latency": percentiles_shape(overview.latency),
        "queue": {
            "backlog": known(overview.queue.backlog),
            "oldest_age_s": known(overview.queue.oldest_age_s),
            "drain_eta_s": known(overview.queue.drain_eta_s),
            "wait": percentiles_shape(overview.queue.wait),
        },
        "capacity": {
            "messages_per_second": known(overview.capacity.messages_per_second),
            "utilization_ratio": known(overview.capacity.utilization_ratio),
            "reached_at": instant(overview.capacity.reached_at),
        },
        "state": health.value,
        "lag": {"lines": lag.lines, "seconds": known(lag.seconds)},
    }


def percentiles_shape(percentiles: Percentiles) -> Json:
    """`latency` and `wait`, seconds."""
    return {
        "p50_s": known(percentiles.p50_s),
        "p90_s": known(percentiles.p90_s),
        "p99_s": known(percentiles.p99_s),
    }


def timeseries_shape(answer: TimeSeries) -> Json:
    """`/api/v1/timeseries`; time stamps are epoch seconds."""
    return {
        "timestamps": [float(at) for at in answer.timestamps],
        "series": [
            {"labels": dict(series.labels), "values": _known_values(series.values)}
            for series in answer.series
        ],
    }


def flow_shape(row: FlowRow, health: Health) -> Json:
    """One row of `/api/v1/flows`."""
    return {
        "labels": dict(row.labels),
        "messages": row.messages,
        "errors": row.errors,
        "filtered": row.filtered,
        "error_ratio": known(row.error_ratio),
        "last_seen_at": instant(row.last_seen_at),
        "latency_p99_s": known(row.latency_p99_s),
        "health": health.value,
    }


def incident_shape(incident: Incident) -> Json:
    """An incident: what `replay` prints, and where people stand with it."""
    evidence = {name: plain(value) for name, value in incident.evidence.items()}
    return api_shape(incident) | {"since": rfc3339(incident.since), "evidence": evidence}


def notification_shape(notification: Notification) -> Json:
    """Whom an incident was told to, and how that went."""
    return {
        "notifier": notification.notifier,
        "action": notification.action.value,
        "state": notification.state.value,
        "reason": notification.reason,
        "created_at": rfc3339(notification.created_at),
        "due_at": rfc3339(notification.due_at),
        "finished_at": instant(notification.finished_at),
        "attempts": notification.attempts,
        "last_error": notification.last_error,
    }


def instant(at: float | None) -> str | None:
    """RFC 3339, or null."""
    return None if at is None or not math.isfinite(at) else rfc3339(at)


def known(value: float | None) -> float | None:
    """A number that JSON can write; NaN and infinity are unknown."""
    return None if value is None or not math.isfinite(value) else value


def plain(value: object) -> object:
    """Evidence as JSON can write it: numbers out of range are null."""
    return known(value) if isinstance(value, float) else value


def _known_values(values: Sequence[float | None]) -> list[float | None]:
    return [known(value) for value in values]
