"""Time as an argument: the live clock, and the Protocol that simulated ones keep."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time; decisions never ask the operating system themselves."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        ...


class SystemClock:
    """The clock of `up`."""

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return time.time()


class SimulatedClock:
    """The clock of `replay` and of tests: stands still until it is moved."""

    def __init__(self, now: float = 0.0) -> None:
        self._now = now

    def now(self) -> float:
        """Seconds since the epoch, UTC."""
        return self._now

    def move_to(self, at: float) -> None:
        """Set the time; going back is a mistake of the caller and raises ValueError."""
        if at < self._now:
            raise ValueError(f"a simulated clock cannot go back from {self._now} to {at}")
        self._now = at

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self.move_to(self._now + seconds)


def rfc3339(at: float) -> str:
    """`at` (epoch seconds) in RFC 3339, UTC, to the second (milliseconds where there are any)."""
    instant = datetime.fromtimestamp(at, tz=UTC)
    precision = "milliseconds" if instant.microsecond >= 1000 else "seconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")
