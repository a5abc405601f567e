"""What every kind of queue has to count by itself, per queue name."""

from __future__ import annotations

from dataclasses import dataclass

from examples.router.queues import Depth


@dataclass(slots=True)
class Counts:
    """Counters of one queue since this router started."""

    in_total: int = 0
    out_total: int = 0
    in_flight: int = 0
    consumers: int = 0
    head_at: float = 0.0
    """When the message taken last had been queued: the head of a first-in first-out queue can be
    no older, so brokers that do not tell the age of their oldest message get it from here."""

    def put(self, count: int) -> None:
        """`count` messages went in."""
        self.in_total += count

    def taken(self, count: int, queued_at: float) -> None:
        """`count` messages went into workers' hands, the last of them queued at `queued_at`."""
        self.in_flight += count
        self.head_at = queued_at

    def acknowledged(self, count: int) -> None:
        """`count` messages are dealt with."""
        self.in_flight -= count
        self.out_total += count

    def depth(self, backlog: int, now: float) -> Depth:
        """The depth, with an oldest age that the true one does not exceed by more than a batch."""
        oldest_age_s = max(0.0, now - self.head_at) if backlog and self.head_at else 0.0
        return Depth(
            backlog, oldest_age_s, self.in_total, self.out_total, self.consumers, self.in_flight
        )
