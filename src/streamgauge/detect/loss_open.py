"""A loss that is open, and when it is over."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.detect.loss_scales import FEWEST
from streamgauge.model.flow import Scope

_ACCEPTED_AFTER_HOURS = 48
_LONGEST_WAIT_HOURS = 12


@dataclass(slots=True)
class Open:
    """A place with an open loss, or doubles."""

    since_hour: int
    opened_hour: int
    is_surplus: bool
    scope: Scope
    """Under which it is told."""
    is_told: bool = False
    lost: float = 0.0
    """The most that was missing; below zero: too many."""
    share: float = 0.0
    """The greatest share of what was due."""
    _good_hours: int = 0
    _good_due: float = 0.0
    _good_deficit: float = 0.0

    def note(self, missing: float, due: float, last_deficit: float, last_due: float) -> None:
        """Take an hour: what is missing of all that was due in the run, and in that hour."""
        sign = -1.0 if self.is_surplus else 1.0
        self.lost = missing if abs(missing) > abs(self.lost) else self.lost
        self.share = max(self.share, abs(missing) / max(due, 1.0))
        if sign * last_deficit > 0.5 * self.share * last_due:
            self._good_hours, self._good_due, self._good_deficit = 0, 0.0, 0.0
            return
        self._good_hours += 1
        self._good_due += last_due
        self._good_deficit += sign * last_deficit

    @property
    def good_due(self) -> float:
        """Messages that were due in the hours since it was last seen."""
        return self._good_due

    def has_caught_up(self, missing: float) -> bool:
        """Whether (nearly) all that was missing ended late."""
        return (-missing if self.is_surplus else missing) <= 0.1 * abs(self.lost)

    def is_over(self, chance: float) -> bool:
        """Whether it would have shown again.

        Args:
            chance: standard deviation of the deficit of `good_due` messages.
        """
        lost = self.share * self._good_due
        if self._good_hours < 2 or self._good_deficit > 0.25 * lost:
            return False
        return lost >= max(FEWEST, 2.0 * chance) or self._good_hours >= _LONGEST_WAIT_HOURS

    def is_usual(self, hour: int) -> bool:
        """Whether it has been going on for so long that it is how things are."""
        return hour - self.opened_hour >= _ACCEPTED_AFTER_HOURS
