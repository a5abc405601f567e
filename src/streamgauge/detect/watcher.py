"""What a detector is given at each turn, and what it answers: how `detector` joins them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.arrivals import Arrivals
from streamgauge.model.finding import Finding


@dataclass(frozen=True, slots=True)
class Turn:
    """The time of one turn."""

    watermark: float
    """Epoch seconds: up to which event time is judged."""
    now: float
    is_blind: bool
    """Nothing closes, and nothing opens on time after the watermark."""


class Usual(Protocol):
    """What is usual for rows, as the habit has learned it."""

    def expected(self, rows: Ints, start_s: Floats, end_s: Floats | float) -> Floats:
        """Messages [rows] usually counted in the seen time from `start_s` to `end_s`."""
        ...

    def dispersion(self, rows: Ints) -> Floats:
        """1/r [rows] of the negative binomial of messages an hour."""
        ...

    def hours_learned(self, rows: Ints) -> Floats:
        """Seen hours [rows] from the first message to the last that were learned from."""
        ...


class Watcher(Protocol):
    """A detector over all rows at once; it keeps what it needs in small arrays of its own."""

    @property
    def ended(self) -> Mapping[str, str]:
        """Why each finding that ended at the last turn did, by key."""
        ...

    def learn(self, hours: Arrivals) -> None:
        """Take history of which the single minutes are not known any more, oldest first."""
        ...

    def observe(self, arrivals: Arrivals) -> None:
        """Take what was inserted; any order, parts of any size, late minutes too."""
        ...

    def judge(self, turn: Turn) -> list[Finding]:
        """All findings that hold now."""
        ...

    def restore(self, since_by_key: Mapping[str, float]) -> None:
        """Hold open what was open before a restart, until its own end is seen."""
        ...
