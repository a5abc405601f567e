"""What the store holds, by level and partition: measured by `store`, judged by `govern`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How finely something is kept; the order is that in which it can be done without."""

    RAW = "raw"
    """Lines as they were received."""
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    OTHER = "other"
    """Who was seen when, the journal, the state: kept whatever happens."""


@dataclass(frozen=True, slots=True)
class PartitionUsage:
    """One partition of one table: what retention drops as a whole."""

    table: str
    level: Level
    name: str
    size_bytes: int
    """On disk, compressed."""
    row_count: int
    from_s: float | None
    """Epoch seconds that it begins at; None where a table is not split by time."""
    to_s: float | None


@dataclass(frozen=True, slots=True)
class StoreUsage:
    """Everything on disk at one instant."""

    at: float
    partitions: Sequence[PartitionUsage]
    obsolete_bytes: int = 0
    """Parts that were merged and are removed within seconds."""
    files_bytes: int = 0
    """Journal, state and whatever else stands in the data folder."""

    @property
    def total_bytes(self) -> int:
        """All of it."""
        kept = sum(partition.size_bytes for partition in self.partitions)
        return kept + self.obsolete_bytes + self.files_bytes

    def bytes_of(self, level: Level) -> int:
        """What the partitions of a level take; `other` includes files and obsolete parts."""
        found = sum(part.size_bytes for part in self.partitions if part.level is level)
        extra = self.obsolete_bytes + self.files_bytes if level is Level.OTHER else 0
        return found + extra


@dataclass(frozen=True, slots=True)
class TenantUsage:
    """What a customer sent over some time, and what it takes."""

    tenant: str
    lines: int
    """Raw lines."""
    minute_rows: int
    messages: int
