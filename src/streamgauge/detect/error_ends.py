"""Which failing groups are well again, and why.

A group ends when it is usual again, when nothing of it is tried any more, or when it was open only
for messages of a delivery that is well again.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.error_habit import ErrorHabit
from streamgauge.detect.error_words import error_key
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.sentences import at_utc, duration, share
from streamgauge.detect.tree import overlap

_IDLE_LEAST_MINUTES = 60.0
_IDLE_GAPS = 25.0
_BUSY_PER_DAY = 1000.0
_WEEKEND_MINUTES = 64 * 60.0
"""What smaller ones may rest from Friday to Monday."""
_CLOSE_NATS = 5.0
_CLOSE_NATS_TOGETHER = 2.0


class ErrorEnds:
    """What has ended."""

    def __init__(self, levels: Levels, habit: ErrorHabit) -> None:
        self._levels, self._habit = levels, habit
        self.reasons: dict[str, str] = {}
        """Why each finding that may have ended at the last turn did, by key."""
        self.closed_minute: dict[int, int] = {}
        """The minute in which each group was last found well again."""
        self.well: dict[int, Failing] = {}
        """Customers of integrations that are told, which are well again: part of the incident."""
        self._recovered: dict[str, float] = {}
        """When a customer of an integration was last found well again."""

    def begin_turn(self, restored: set[str], told: set[str], said_at: str) -> None:
        """Forget the last turn; what was `restored` ends unless it is told again."""
        why = f"fewer fail than would be told anew, seen at {said_at}"
        self.reasons = dict.fromkeys(restored, why)
        self.well = {g: f for g, f in self.well.items() if self.key_above(g) in told}

    def close(
        self, open_: dict[int, Failing], told: set[str], minute: int, now: float
    ) -> list[Failing]:
        """Take out of `open_` what is over; returns it."""
        before = list(open_.values())
        quiet = [f for f in before if f.good_nats >= self._needed(f)]
        for failing in quiet:
            self._close(open_, failing, told, minute, _usual(failing, now))
        for failing in list(open_.values()):
            idle = minute - failing.last_minute
            if idle > self._tried_again_minutes(failing.group):
                tried = f"nothing of it has been tried for {duration(60.0 * idle)}"
                self._close(open_, failing, told, minute, tried)
        over = [failing for failing in before if failing.group not in open_]
        for failing in list(open_.values()) if over else []:
            is_told = error_key(self._names(failing)) in told
            if not is_told and self._went_with(failing, over, open_):
                self._close(open_, failing, told, minute, _usual(failing, now))
        return [failing for failing in before if failing.group not in open_]

    def key_above(self, group: int) -> str:
        """The key of the integration that a group belongs to."""
        integration = self._levels.groups[group].integration
        return error_key(Names(Level.INTEGRATION, None, None, integration))

    def _went_with(self, failing: Failing, over: list[Failing], open_: dict[int, Failing]) -> bool:
        """Whether it was open only for the messages of those that are over."""
        names = self._names(failing)
        if names.level is Level.TENANT_INTEGRATION:
            return False
        deliveries = [f for f in open_.values() if self._is_delivery(f.group)]
        gone = any(overlap(names, self._names(one)) for one in over)
        return gone and not any(overlap(names, self._names(one)) for one in deliveries)

    def _names(self, failing: Failing) -> Names:
        return self._levels.groups[failing.group]

    def _is_delivery(self, group: int) -> bool:
        return bool(self._levels.group_level[group] == Level.TENANT_INTEGRATION)

    def _tried_again_minutes(self, group: int) -> float:
        """Many gaps of its busy hours: what sends nothing any more neither fails nor is well."""
        per_day = float(self._habit.per_day[group])
        least = _IDLE_LEAST_MINUTES if per_day >= _BUSY_PER_DAY else _WEEKEND_MINUTES
        return max(least, _IDLE_GAPS * 1440.0 / max(per_day, 1.0))

    def _needed(self, failing: Failing) -> float:
        """Nats that a close takes; fewer once others of the same integration are well again."""
        recovered = self._recovered.get(self._names(failing).integration or "", -np.inf)
        return _CLOSE_NATS_TOGETHER if recovered > failing.since else _CLOSE_NATS

    def _close(
        self, open_: dict[int, Failing], failing: Failing, told: set[str], minute: int, why: str
    ) -> None:
        del open_[failing.group]
        above = self.key_above(failing.group)
        if self._is_delivery(failing.group) and above in told:
            self.well[failing.group] = failing
        self.closed_minute[failing.group] = minute
        names = self._names(failing)
        self.reasons[error_key(names)] = why
        if names.integration:
            self._recovered[names.integration] = 60.0 * minute
            self.reasons.setdefault(above, why)


def _usual(failing: Failing, now: float) -> str:
    return f"failures are back to usual ({share(failing.usual)} or less) at {at_utc(now, now)}"
