"""A level whose messages take longer than usual: what `latency` proves and `latency_fold` tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Slow:
    """One level that is slow."""

    group: int
    place: int
    since: float
    """Epoch seconds: the minute in which it began."""
    fired_at: float
    which: int
    """0: too many beyond the 95 % bucket, 1: beyond that of 99 %."""
    threshold_bucket: float
    """Beyond it a message is slow."""
    usual_bucket: float
    """95 (or 99) of 100 messages were usually no slower."""
    usual: float
    """Upper bound of the usual share of slow messages."""
    count: float
    slow: float
    """Since it began."""
    nats: float
    bar_nats: float
    good_nats: float = 0.0
    """Evidence that it is over."""
    heard_minute: int = 0
    """The last in which a message told how long it took."""

    @property
    def share(self) -> float:
        """Slow ones of all."""
        return self.slow / max(self.count, 1e-9)
