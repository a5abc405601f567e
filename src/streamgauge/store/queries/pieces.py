"""Cuts a range of event time into what each level answers exactly.

1. Borders are moved to what is still kept: where the rows as received are gone, to the next whole
   minute, where minutes are gone to the next whole hour, and so on. Both ends of a range go the
   same way, so that ranges that meet still share nothing and miss nothing.
2. Whole days come from days, but for open ones; what that leaves over from hours, then minutes,
   and the rest from the rows as received. A level whose buckets do not divide a chart's steps is
   passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamgauge.store.kept import Known
from streamgauge.store.levels import LEVELS, Family, Level
from streamgauge.store.queries.span import Span

Range = tuple[int, int]
"""First and one past the last: nanoseconds, or buckets of a level."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Ranges that one table answers."""

    level: Level | None
    """None: the rows as received."""
    ranges: tuple[Range, ...]

    def condition(self, column: str) -> str:
        """In SQL: the column lies in one of the ranges."""
        each = (f"({column} >= {low} AND {column} < {high})" for low, high in self.ranges)
        return f"({' OR '.join(each)})"


def settled(span: Span, family: Family, known: Known) -> Span:
    """The span between borders at which what is kept can be cut; empty where there are none."""
    low, high = (_next_border(at, family, known) for at in (span.from_ns, span.to_ns))
    return Span(low, max(low, high))


def _next_border(at_ns: int, family: Family, known: Known) -> int:
    level = known.finest_at(family, at_ns)
    if level is None:
        return at_ns
    border = -(-at_ns // level.unit_ns) * level.unit_ns
    return max(border, known.begins_ns(family, LEVELS[-1]))


def cut(span: Span, step_ns: int | None, family: Family, known: Known) -> list[Piece]:
    """What answers `span` (settled), coarsest first; `step_ns` None: it is not cut into steps."""
    left = [(span.from_ns, span.to_ns)] if span.from_ns < span.to_ns else []
    pieces = []
    for level in reversed(LEVELS):
        if step_ns is None or step_ns % level.unit_ns == 0:
            ranges, left = _split(left, level, family, known)
            pieces += [Piece(level, ranges)] if ranges else []
    if left or not pieces:
        pieces.append(Piece(None, tuple(left) or ((0, 0),)))
    return pieces


def _split(
    ranges: list[Range], level: Level, family: Family, known: Known
) -> tuple[tuple[Range, ...], list[Range]]:
    """The buckets of a level inside ranges, and the ranges that are left over."""
    whole, left = [], []
    open_buckets = known.open_buckets(level)
    for low, high in ranges:
        first, end = -(-low // level.unit_ns), high // level.unit_ns
        at = low
        for start, stop in _runs(first, end, open_buckets, level, family, known):
            whole.append((start, stop))
            left.append((at, start * level.unit_ns))
            at = stop * level.unit_ns
        left.append((at, high))
    return tuple(whole), [(low, high) for low, high in left if low < high]


def _runs(
    first: int,
    end: int,
    open_buckets: frozenset[int],
    level: Level,
    family: Family,
    known: Known,
) -> Iterator[Range]:
    """Runs of buckets between the open ones for which something finer can stand in."""
    at = first
    for bucket in sorted(bucket for bucket in open_buckets if first <= bucket < end):
        finest = known.finest_at(family, bucket * level.unit_ns)
        if finest is None or finest.unit_ns < level.unit_ns:
            if at < bucket:
                yield at, bucket
            at = bucket + 1
    if at < end:
        yield at, end
