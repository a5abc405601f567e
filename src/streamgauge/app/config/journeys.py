"""Settings of what is kept of messages' journeys."""

from __future__ import annotations

from pydantic import field_validator

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import Duration, Size

HOUR_S = 3600.0
LEAST_BUDGET = 10**6


class Journeys(Section):
    """What is kept of [hops](hops.md#how-long-journeys-are-kept): all of them for a while, then
    messages with trouble, slow ones, and as many of the others as there is room for.
    """

    whole_for: Duration = 2 * HOUR_S
    """How long all hops are kept after their hour has ended; `"1h"` to `"1d"`."""
    retention: Duration = 7 * 24 * HOUR_S
    """How long the rest of them, and samples of errors, are kept at least; six hours go at once.
    `"1d"` is the least."""
    disk_budget: Size = 2_000_000_000
    """What hops may take. With less, fewer messages without trouble are kept. 1 MB is the least."""

    @field_validator("whole_for")
    @classmethod
    def _is_some_hours(cls, value: float) -> float:
        if not HOUR_S <= value <= 24 * HOUR_S:
            raise ValueError('"1h" to "1d"')
        return value

    @field_validator("retention")
    @classmethod
    def _is_a_day(cls, value: float) -> float:
        if value < 24 * HOUR_S:
            raise ValueError('at least "1d"')
        return value

    @field_validator("disk_budget")
    @classmethod
    def _is_enough_to_run(cls, value: int) -> int:
        if value < LEAST_BUDGET:
            raise ValueError('at least "1MB"')
        return value
