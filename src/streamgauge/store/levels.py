"""The levels at which time is summed: minute, hour, day, and their tables."""

from __future__ import annotations

from dataclasses import dataclass

NS_A_SECOND = 1_000_000_000
NS_A_MINUTE = 60 * NS_A_SECOND
NS_A_HOUR = 60 * NS_A_MINUTE
NS_A_DAY = 24 * NS_A_HOUR


@dataclass(frozen=True, slots=True)
class Level:
    """One size of time's buckets."""

    name: str
    """Of the column that numbers them since the epoch."""
    unit_ns: int


MINUTE = Level("minute", NS_A_MINUTE)
HOUR = Level("hour", NS_A_HOUR)
DAY = Level("day", NS_A_DAY)
LEVELS = (MINUTE, HOUR, DAY)
"""From fine to coarse; each is a whole multiple of the one before."""


@dataclass(frozen=True, slots=True)
class Family:
    """What is summed together: rows as received, and their tables, one for each level."""

    raw: str
    prefix: str

    def table(self, level: Level) -> str:
        """The name of the table that holds it at a level."""
        return f"{self.prefix}{level.name}"


MESSAGES = Family("messages", "")
QUEUES = Family("queue", "queue_")
POINTS = Family("points", "point_")
FAMILIES = (MESSAGES, QUEUES, POINTS)

RAW_TABLES = ("messages", "queue", "points", "rejected")
PLATFORM = "platform_minute"
"""Minutes of all flows together, for questions about the platform."""
ROUTERS = "router_hour"
"""Which router each flow's messages came through."""
ERRORS = "error_minute"
"""Errors that came with a text, by the minute."""
TABLES = {level: tuple(family.table(level) for family in FAMILIES) for level in LEVELS}
TABLES[MINUTE] += (PLATFORM, ERRORS)
PENDING_TABLES = frozenset((*TABLES[HOUR], *TABLES[DAY]))
"""They are given rows that are not summed; the engine sums them as it inserts them."""
