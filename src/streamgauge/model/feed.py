"""What detection is fed: the store's inserts, already summed to (flow, minute).

The writer sums each segment once it is in the engine; detection never reads a row of telemetry.
After a restart, or when the feed overflowed, detection is rebuilt from the rollups, which come in
the same columns. `pyarrow.Table`s as in `model.batch`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pyarrow as pa

MINUTES_COLUMNS: dict[str, str] = {
    "minute": "int64",  # minutes since the epoch (event time)
    "tenant": "tag",
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "outcome": "tag",
    "reason": "tag",
    "count": "uint64",  # messages to add to that minute
    "first_ns": "int64",  # oldest and newest time stamp among them
    "last_ns": "int64",
}

QUEUES_COLUMNS: dict[str, str] = {
    "minute": "int64",
    "queue": "tag",
    "pipeline": "tag",
    "integration": "tag",
    "tenant": "tag",
    "backlog": "float64?",  # the last value in that minute
    "oldest_age_s": "float64?",
    "in_total": "float64?",
    "out_total": "float64?",
    "consumers": "float64?",
    "last_ns": "int64",
}


ROUTERS_COLUMNS: dict[str, str] = {
    "minute": "int64",
    "router": "tag",
    "tenant": "tag",  # the flow's five tags; all empty: a sign of life that is no message
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "count": "uint64",  # messages to add to that minute
    "last_ns": "int64",
}
"""What came through each router that is named; see `store.rollup.routerrollup`."""

ROUTER_HOURS_COLUMNS: dict[str, str] = {
    "hour": "int64",
    **{name: kind for name, kind in ROUTERS_COLUMNS.items() if kind == "tag"},
    "count": "uint64",
    "minutes": "uint64",  # a bit for each minute of the hour
    "last_ns": "int64",
}

LATENCIES_COLUMNS: dict[str, str] = {
    "minute": "int64",
    "tenant": "tag",  # the flow's five tags; all outcomes but attempts
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "bucket": "int16",  # OpenTelemetry's scale 5, see LATENCY_STEP
    "count": "uint64",  # messages of that bucket to add to that minute
}

LATENCY_HOURS_COLUMNS: dict[str, str] = {
    ("hour" if name == "minute" else name): kind for name, kind in LATENCIES_COLUMNS.items()
}

LATENCY_STEP = 4
"""Buckets are told in groups of so many, by the last of each: 9 % wide, a quarter of the rows."""

HOURS_COLUMNS: dict[str, str] = {
    "hour": "int64",  # hours since the epoch (event time)
    "tenant": "tag",
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "outcome": "tag",
    "count": "uint64",
    "active_minutes": "uint8",  # minutes of that hour with a message of this row, 0..60
    "last_ns": "int64",
}


@dataclass(frozen=True, slots=True)
class Delta:
    """What has been inserted since the last look."""

    minutes: pa.Table
    queues: pa.Table
    newest_ns: int
    """Newest time stamp stored from anyone who reports to us, any measurement; 0 when there was
    none. What our own collectors looked up is in `queues` and does not count."""
    routers: pa.Table | None = None
    """ROUTERS_COLUMNS; None: nothing is known of routers."""
    latencies: pa.Table | None = None
    """LATENCIES_COLUMNS; None: nothing is known of latency."""


@dataclass(frozen=True, slots=True)
class History:
    """All that detection has to know of the past: old hours, then recent minutes."""

    hours: pa.Table
    """HOURS_COLUMNS, up to and not including `recent_from_minute`."""
    recent: Delta
    """Everything from `recent_from_minute` (a whole hour, about two days back) to the newest."""
    recent_from_minute: int
    seen_minutes: pa.Array
    """int64, ascending: every minute of the range (hours and recent) in which a line of anyone who
    reports to us is stamped, of any measurement."""
    routers: pa.Table | None = None
    """ROUTER_HOURS_COLUMNS of the last day, oldest first; None: nothing is known of routers."""
    latencies: pa.Table | None = None
    """LATENCY_HOURS_COLUMNS of the last day up to the newest, oldest first; `recent` has none."""


class Records(Protocol):
    """The store's side of looking back."""

    def past(self, until_s: float) -> History:
        """What the rollups hold (35 days), event time before `until_s`; changes nothing."""
        ...

    def minutes(self, first: int, end: int) -> Delta:
        """What they hold of `first` <= minute < `end`, without routers and latency."""
        ...


class Feed(Protocol):
    """The store's side of detection."""

    def history(self, until_s: float) -> History:
        """What the rollups hold (35 days), event time before `until_s`; empties the feed."""
        ...

    def take(self) -> Delta | None:
        """All that came since the last call, or None if it overflowed: rebuild by `history`."""
        ...
