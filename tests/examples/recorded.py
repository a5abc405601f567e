"""A reporting that keeps what the router tells it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from examples.router.queues import Depth
from examples.router.reporting import Hop, Reporting


@dataclass
class Recorded:
    """Stands for streamgauge behind the router's `Reporting`."""

    hops: list[Hop] = field(default_factory=list)
    depths: dict[str, list[Depth]] = field(default_factory=lambda: defaultdict(list))
    dead_letter_counts: list[int] = field(default_factory=list)
    is_closed: bool = False
    also: Reporting | None = None
    """Told the same."""

    def message(self, hop: Hop) -> None:
        assert not self.is_closed
        self.hops.append(hop)
        if self.also is not None:
            self.also.message(hop)

    def queue(self, name: str, depth: Depth) -> None:
        self.depths[name].append(depth)
        if self.also is not None:
            self.also.queue(name, depth)

    def dead_letters(self, count: int) -> None:
        self.dead_letter_counts.append(count)

    def close(self, within_s: float) -> None:
        self.is_closed = True
        if self.also is not None:
            self.also.close(within_s)

    def counts(self, *names: str) -> Counter[tuple[str, ...]]:
        """Messages by these words."""
        return Counter(tuple(getattr(hop, name) for name in names) for hop in self.hops)
