"""A range of event time, cut into what rollups answer and what raw rows must."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.store.levels import NS_A_MINUTE, NS_A_SECOND


def to_ns(at_s: float) -> int:
    """Epoch seconds as nanoseconds, to the microsecond (a float carries no more)."""
    return round(at_s * 1e6) * 1000


@dataclass(frozen=True, slots=True)
class Span:
    """`from_ns` <= event time < `to_ns`."""

    from_ns: int
    to_ns: int

    @classmethod
    def of(cls, from_s: float, to_s: float) -> Span:
        """The span between two instants in epoch seconds; empty if they are the wrong way round."""
        from_ns = max(to_ns(from_s), 0)
        return cls(from_ns, max(to_ns(to_s), from_ns))

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.to_ns - self.from_ns) / NS_A_SECOND

    @property
    def touched_minutes(self) -> tuple[int, int]:
        """First and one past the last minute since the epoch that the span touches."""
        return self.from_ns // NS_A_MINUTE, -(-self.to_ns // NS_A_MINUTE)

    @property
    def whole_minutes(self) -> tuple[int, int]:
        """First and one past the last minute that lie inside entirely; equal: none does."""
        first, end = -(-self.from_ns // NS_A_MINUTE), self.to_ns // NS_A_MINUTE
        return first, max(first, end)

    def edges_ns(self) -> list[tuple[int, int]]:
        """What whole minutes leave over: up to two ranges of nanoseconds."""
        first, end = (minute * NS_A_MINUTE for minute in self.whole_minutes)
        if first == end:
            return [(self.from_ns, self.to_ns)] if self.from_ns < self.to_ns else []
        edges = [(self.from_ns, first), (end, self.to_ns)]
        return [(low, high) for low, high in edges if low < high]
