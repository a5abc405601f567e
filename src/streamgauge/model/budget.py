"""Budget, use, forecast and cost: what the governor tells pages, API and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.model.usage import Level


@dataclass(frozen=True, slots=True)
class Interval:
    """When something comes, seconds from now; infinite: not within the time looked ahead."""

    early_s: float
    """One chance in ten that it comes before."""
    likely_s: float
    """As likely before as after."""
    late_s: float
    """One chance in ten that it comes after."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Bytes used on the days ahead: the first value is a day from now."""

    early: Sequence[float]
    """The most that is likely: nine in ten stay below."""
    likely: Sequence[float]
    late: Sequence[float]
    """The least that is likely."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One thing that can run out."""

    name: str
    """`disk` or `series`."""
    used: float
    limit: float
    full: Interval | None
    """When so much is used that something must be given up; None: too little was seen to say."""
    projection: Projection | None = None

    @property
    def used_ratio(self) -> float:
        """Share of the limit that is used."""
        return self.used / self.limit if self.limit > 0 else 1.0


@dataclass(frozen=True, slots=True)
class LevelBudget:
    """One level of detail: what it takes, and how long it is kept."""

    level: Level
    size_bytes: int
    row_count: int
    bytes_per_day: float | None
    """What comes in a day; None while that is not known."""
    retention_s: float
    """As configured; infinite: for ever."""
    kept_s: float
    """As it is now: shorter where something was given up."""
    since_s: float | None
    """Epoch seconds of the oldest partition."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Retentions that were shortened because the disk was about to be full."""

    raw_s: float | None = None
    """How long raw lines are kept at most; None: as configured."""
    minute_s: float | None = None
    since: float | None = None
    """Epoch seconds when the first of them was shortened."""

    @property
    def is_anything(self) -> bool:
        """Whether anything is shorter than configured."""
        return self.raw_s is not None or self.minute_s is not None


@dataclass(frozen=True, slots=True)
class TenantCost:
    """A customer's share."""

    tenant: str
    lines_per_day: float
    messages_per_day: float
    size_bytes: float
    """Of all that is kept."""
    share_ratio: float
    """Of the month's cost."""
    month_cost: float


@dataclass(frozen=True, slots=True)
class MonthCost:
    """What the machine costs a month, by what is paid for, at the configured prices."""

    currency: str
    disk: float
    memory: float
    cpu: float
    network: float
    is_example: bool
    """The prices are those we came with, not the user's."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.disk + self.memory + self.cpu + self.network


@dataclass(frozen=True, slots=True)
class MemoryShares:
    """How the memory budget is divided, bytes."""

    budget_bytes: int
    query_bytes: int
    """A single question to the engine may use."""
    held_bytes: int
    """Journal records kept in memory until they are inserted."""
    segment_bytes: int
    """Journal records that the engine is given at once."""
    in_flight_bytes: int
    """Bodies that are being read or wait to be parsed."""
    engine_bytes: int
    """All of the engine's work together."""
    feed_rows: int
    """Sums kept for detection."""
    series: int
    """Series that fit beside all this."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Everything the Budget page shows."""

    at: float
    """Epoch seconds of the look."""
    disk: Resource
    series: Resource
    levels: Sequence[LevelBudget]
    given_up: GivenUp
    memory: MemoryShares
    resident_bytes: int
    engine_held_bytes: int | None
    """What the engine's own process holds, without pages of files; None: it has none."""
    tenants: Sequence[TenantCost]
    """The dearest first, at most as many as fit a page."""
    tenant_count: int
    cost: MonthCost
    disk_is_budget: bool
    """The limit is `[store] disk_budget`; else it is the file system's room."""
