"""What can be set about the store; `app` fills it from the configuration."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JourneySettings:
    """How much of what messages went through is kept, and how long."""

    whole_s: float = 2 * 3600
    """All hops are kept at least so long; then journeys with trouble, slow ones, and a share."""
    retention_s: float = 7 * 86_400
    """What is left then is kept so long, at least (six hours go at once)."""
    disk_bytes: int = 2 * 1024**3
    """All that hops may take; the share follows from it."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Limits and habits of the store; the defaults suit one machine with two cores."""

    journal_max_bytes: int = 2 * 1024**3
    """Acknowledged lines may wait on disk up to this size; beyond it senders are told to retry."""
    journal_file_max_bytes: int = 64 * 1024**2
    """The journal is deleted in files of this size."""
    fsync: bool = False
    """Off: an acknowledged line survives `kill -9`. On: it survives a power cut too."""
    segment_max_lines: int = 200_000
    """Lines the engine is given at once."""
    segment_max_wait_s: float = 0.25
    """How long the first line of a segment waits for company."""
    segment_max_bytes: int = 64 * 1024**2
    """Of journal records the engine is given at once: few lines may be long ones."""
    trickle_lines: int = 100
    """A segment of so few lines costs as much as one of thousands, so it waits longer for
    company."""
    trickle_wait_s: float = 0.2
    """How much longer."""
    held_max_bytes: int = 256 * 1024**2
    """Journal records kept in memory until inserted; what is beyond is read back from disk."""
    retry_keys_in_memory: int = 65_536
    """Bodies whose retry is known from memory; those before, of a day, are looked up on disk."""
    rollup_wait_s: float = 30.0
    """What segments add to hours and days waits so long for company; 0: it goes in with each
    segment, as it must where several processes write into one engine."""
    pending_max_rows: int = 200_000
    """Rows that wait for hours and days; each of them stands for a flow's minute in a segment."""
    raw_retention_s: float = 7 * 86_400
    """Lines as received are kept at least so long (whole parts are dropped); infinity: for ever."""
    minute_retention_s: float = 35 * 86_400
    """Sums by the minute, the same (parts of 7 days)."""
    hour_retention_s: float = 400 * 86_400
    """Sums by the hour, the same (parts of 30 days)."""
    day_retention_s: float = math.inf
    """Sums by the day, the same (parts of 360 days)."""
    query_timeout_s: float = 20.0
    """A question that takes longer is given up."""
    engine_memory_bytes: int = 4 * 1024**3
    """Memory the embedded engine may take in all."""
    query_max_memory_bytes: int = 1024**3
    """Memory a single question may use."""
    feed_max_segments: int = 10_000
    """The same, in segments, where several processes write into one engine."""
    feed_max_rows: int = 500_000
    """Rows kept for detection before it is told to start again from history."""
    journeys: JourneySettings = JourneySettings()
    """What is kept of hops."""
