"""A level whose traffic left its habit: what `drop` proves and `drop_fold` tells."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.words import Kind


@dataclass
class Shift:
    """One place that sends fewer or more than usual."""

    kind: Kind
    """`DROP` or `SURGE`."""
    place: int
    group: int
    row: int
    since: float
    """Epoch seconds at which it began, a quarter of an hour more or less."""
    fired_at: float
    level: float
    """Of the habit, just before it began."""
    week_end_s: float
    """End of the week by which the habit is remembered as it was."""
    week_expected: float
    """Messages that the habit expected of that week when it began."""
    counted: float
    expected: float
    """Since it began, at the usual level."""
    hours: float
    nats: float
    bar_nats: float
    spread: float
    """Relative variance of the count since it began, less that of chance."""
    is_old: bool
    """Three weeks were learned: it may page."""
    good_nats: float = 0.0
    """Evidence that it is over."""
    blocks: int = 0
    """Since it was told."""

    @property
    def ratio(self) -> float:
        """Counted over expected."""
        return self.counted / max(self.expected, 1e-9)

    @property
    def missing(self) -> float:
        """Messages missing (of a drop), or too many (of a surge)."""
        return abs(self.expected - self.counted)
