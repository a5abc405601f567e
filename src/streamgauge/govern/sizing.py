"""From a load to rows, bytes, processors and memory, by measured constants.

Rows: a flow that gets `m` messages in a while of length `t` has a row for it with probability
1 - exp(-m t): busy flows have one a minute, rare ones one a message. All customers are taken to be
alike, which makes the most rows there can be (the formula is concave).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamgauge.govern.constants import Constants
from streamgauge.govern.hop_sizing import Journeys, hop_size
from streamgauge.model.errors import ConfigError

DAY_S = 86_400.0
STAGES = 2
"""A message is told where it is received and where it is delivered."""
BUSY_RATIO = 0.5
"""Of its processors, and of its disk, that a machine should use at its peak."""
PEAK = 3.0
"""The busiest minute against the mean."""
MERGE_ROOM = 1.3
"""Disk for merges, the journal, and parts not merged yet."""
MAX_DAYS = 3650.0
"""For ever is counted as ten years."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What is to be watched."""

    messages_per_day: float
    tenants: float
    sources: float = 2.0
    """Of each tenant."""
    integrations: float = 3.0
    """Of each tenant."""
    followed_per_day: float = 0.0
    """Those of the messages whose every hop is sent, one by one."""
    interval_s: float = 10.0
    """Between two reports of a router of the others; 0: a line for each message."""
    nodes: int = 0
    """How many ClickHouse nodes are wanted; 0: as few as will do."""

    @property
    def flows(self) -> float:
        """Tenants times sources, integrations and stages."""
        return self.tenants * self.sources * self.integrations * STAGES

    @property
    def hops_per_day(self) -> float:
        """Sent one by one."""
        return self.followed_per_day * STAGES


@dataclass(frozen=True, slots=True)
class Kept:
    """Retention of each level, seconds; infinite is for ever."""

    raw_s: float
    minute_s: float
    hour_s: float
    day_s: float
    journeys: Journeys | None = None
    """None: no message is followed."""


@dataclass(frozen=True, slots=True)
class LevelSize:
    """One level on disk."""

    name: str
    rows: float
    row_bytes: float
    kept_days: float

    @property
    def size_bytes(self) -> float:
        """All of it, once it is as old as it gets."""
        return self.rows * self.row_bytes


@dataclass(frozen=True, slots=True)
class Sizing:
    """What a load needs."""

    workload: Workload
    levels: tuple[LevelSize, ...]
    lines_per_s: float
    """In the mean, hops too."""
    peak_lines_per_s: float
    peak_load_per_s: float
    """The same in lines: a hop counts as many as it takes the time of."""
    cpus: float
    """To be given, so that the peak uses half of them."""
    memory_bytes: float
    disk_bytes: float
    """With room for merges."""
    network_bytes_per_month: float
    kept_journeys_ratio: float | None
    """Of the followed messages without trouble: those whose journey is kept to the end; None: none
    is followed."""


def check(workload: Workload) -> None:
    """Refuse nonsense.

    Raises:
        ConfigError: naming what, and what is accepted.
    """
    counts = {
        "--messages-per-day": workload.messages_per_day,
        "--tenants": workload.tenants,
        "--sources": workload.sources,
        "--integrations": workload.integrations,
    }
    for name, value in counts.items():
        if not math.isfinite(value) or value < 1:
            raise ConfigError(f"{name} must be at least 1, it is {value:g}")
    if workload.messages_per_day > 1e14:
        raise ConfigError("--messages-per-day above 100 T is nobody's")
    if not 0 <= workload.followed_per_day <= workload.messages_per_day:
        raise ConfigError(
            f"--followed-per-day must be between 0 and the {workload.messages_per_day:g} messages "
            f"a day, it is {workload.followed_per_day:g}"
        )
    if not 0 <= workload.interval_s <= 3600:
        raise ConfigError("--interval must be between 0 (a line for each message) and 1 h")


def rows_per_day(messages_per_day: float, flows: float, bucket_s: float) -> float:
    """Rows that flows leave in a day when each bucket of time that holds messages is one."""
    if bucket_s <= 0:
        return messages_per_day
    in_bucket = messages_per_day / flows * bucket_s / DAY_S
    return float(flows * DAY_S / bucket_s * -math.expm1(-in_bucket))


def size(workload: Workload, kept: Kept, constants: Constants, peak: float = PEAK) -> Sizing:
    """What the load needs.

    Raises:
        ConfigError: the load is nonsense.
    """
    check(workload)
    told = workload.messages_per_day * STAGES
    hops = workload.hops_per_day
    summed = rows_per_day(told - hops, workload.flows, workload.interval_s) if hops < told else 0.0
    lines = summed + hops
    levels = [_level("raw", lines, constants.raw_bytes_per_line, kept.raw_s)]
    for name, bucket_s, kept_s in (
        ("minute", 60.0, kept.minute_s),
        ("hour", 3600.0, kept.hour_s),
        ("day", DAY_S, kept.day_s),
    ):
        rows = rows_per_day(told, workload.flows, bucket_s)
        levels.append(_level(name, rows, constants.summed_row_bytes(lines / rows), kept_s))
    journeys = hop_size(hops, constants.bytes_per_hop, kept.journeys) if kept.journeys else None
    if journeys and kept.journeys:
        rows = journeys.size_bytes / constants.bytes_per_hop
        kept_days = kept.journeys.kept_s / DAY_S
        levels.append(LevelSize("hops", rows, constants.bytes_per_hop, kept_days))
    hop_cost = constants.cpu_s_per_million_hops / constants.cpu_s_per_million_lines
    peak_load = peak * (summed + hops * hop_cost) / DAY_S
    cpu = peak_load / 1e6 * constants.cpu_s_per_million_lines / BUSY_RATIO
    wire = summed * constants.wire_bytes_per_line + hops * constants.wire_bytes_per_hop
    known = workload.flows * constants.resident_bytes_per_series
    return Sizing(
        workload=workload,
        levels=tuple(levels),
        lines_per_s=lines / DAY_S,
        peak_lines_per_s=peak * lines / DAY_S,
        peak_load_per_s=peak_load,
        cpus=cpu,
        memory_bytes=2 * (constants.resident_base_bytes + known) + 512e6,
        disk_bytes=MERGE_ROOM * sum(level.size_bytes for level in levels) + 2e9,
        network_bytes_per_month=30 * wire,
        kept_journeys_ratio=journeys.kept_ratio if journeys else None,
    )


def _level(name: str, rows_a_day: float, row_bytes: float, kept_s: float) -> LevelSize:
    kept_days = min(kept_s / DAY_S, MAX_DAYS)
    return LevelSize(name, rows_a_day * kept_days, row_bytes, kept_days)
