"""Counts what happened to messages between two reports, so that a report has few lines.

Messages are summed by flow, outcome, reason, and by how long they took: a percentile of a mean is
no percentile, so only messages of nearly equal latency and nearly equal wait share a line. The
line's latency is the mean of its members and weighs as many as they are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

LATENCY_STEPS = 8
"""Buckets in every doubling of the latency: 9 % wide, so no percentile is off by more."""
WAIT_STEPS = 4
"""Buckets in every doubling of the wait in the queue: 19 % wide."""
NO_BUCKET = -(2**31)


class Key(NamedTuple):
    """What a line is summed by."""

    tenant: str
    source: str
    integration: str
    stage: str
    outcome: str
    reason: str
    latency_bucket: int
    wait_bucket: int


@dataclass(slots=True)
class Sums:
    """What a line says."""

    count: int = 0
    size_bytes: int = 0
    latency_s: float = 0.0
    """Sum over the messages."""
    wait_s: float = 0.0
    """Sum over the messages."""


class Ledger:
    """Open sums since the last `take`. For one event loop; no locks."""

    def __init__(self) -> None:
        self._sums: dict[Key, Sums] = {}

    def count(
        self,
        *,
        tenant: str,
        source: str,
        stage: str,
        outcome: str,
        integration: str = "",
        reason: str = "",
        size_bytes: int = 0,
        latency_s: float | None = None,
        wait_s: float | None = None,
    ) -> None:
        """One message came to `outcome` at `stage`; None: there is no such duration."""
        buckets = bucket(latency_s, LATENCY_STEPS), bucket(wait_s, WAIT_STEPS)
        key = Key(tenant, source, integration, stage, outcome, reason, *buckets)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums()
        sums.count += 1
        sums.size_bytes += size_bytes
        sums.latency_s += latency_s or 0.0
        sums.wait_s += wait_s or 0.0

    def take(self) -> dict[Key, Sums]:
        """The sums so far; counting starts anew."""
        taken, self._sums = self._sums, {}
        return taken


def bucket(duration_s: float | None, steps: int) -> int:
    """The logarithmic bucket of a duration, `steps` to a doubling; NO_BUCKET for None."""
    if duration_s is None:
        return NO_BUCKET
    return math.floor(math.log2(max(duration_s, 1e-6)) * steps)
