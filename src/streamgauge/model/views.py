"""What questions about the key metrics are answered with. None is unknown, never zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamgauge.model.words import Health


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows count; None is all."""

    tenant: str | None = None
    source: str | None = None
    integration: str | None = None
    pipeline: str | None = None


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a duration, seconds, from histograms with 1.1 % relative error."""

    p50_s: float | None = None
    p90_s: float | None = None
    p99_s: float | None = None


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What waits."""

    backlog: float | None = None
    """Messages, sum over queues of the last value in the range; None where none reported."""
    oldest_age_s: float | None = None
    """Maximum over queues of the last value in the range."""
    drain_eta_s: float | None = None
    """Seconds until empty at the rates seen last; None where unknown or never."""
    wait: Percentiles = field(default_factory=Percentiles)


@dataclass(frozen=True, slots=True)
class CapacityFigures:
    """How much the platform could handle."""

    messages_per_second: float | None = None
    """The most delivered per minute while a backlog was waiting; None if that was never seen."""
    utilization_ratio: float | None = None
    reached_at: float | None = None
    """Epoch seconds at which the forecast load meets it."""


@dataclass(frozen=True, slots=True)
class Lag:
    """What is acknowledged and not yet queryable."""

    lines: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Overview:
    """The key metrics of a range; DESIGN section 4 says what each counts."""

    messages: int | None
    received: int | None
    errors: int | None
    filtered: int | None
    messages_per_second: float | None
    success_ratio: float | None
    error_ratio: float | None
    latency: Percentiles
    queue: QueueFigures
    capacity: CapacityFigures


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    labels: Mapping[str, str]
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Values on one grid of instants."""

    timestamps: Sequence[float]
    """Epoch seconds, the start of each step."""
    series: Sequence[Series]


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow, or one customer, source or integration (the other labels are then absent)."""

    labels: Mapping[str, str]
    messages: int | None
    """None, as `errors` and `filtered`: nobody's line is stamped in the range."""
    errors: int | None
    filtered: int | None
    error_ratio: float | None
    last_seen_at: float | None
    """Epoch seconds of the newest message ever."""
    latency_p99_s: float | None = None
    health: Health = Health.UNKNOWN
