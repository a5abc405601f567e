"""Failures and ends by minute, of the last hour and of the running one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.error_habit import ErrorHabit

WINDOW = 120


@dataclass(frozen=True, slots=True)
class Window:
    """The minutes of some groups."""

    groups: Ints
    """[n], ascending."""
    failed: Floats
    """Failures [WINDOW, n]."""
    total: Floats
    """All ends, in the same shape."""
    first: int
    """The first minute, since the epoch: that of an hour."""
    last: int
    """Place of the running minute."""

    def of(self, group: int) -> tuple[Floats, Floats]:
        """Failures and ends [WINDOW] of one of the groups."""
        place = int(np.searchsorted(self.groups, group))
        return self.failed[:, place], self.total[:, place]

    def some(self, at: Ints) -> Window:
        """Of the groups at some places."""
        return Window(self.groups[at], self.failed[:, at], self.total[:, at], self.first, self.last)

    def first_failure(self, since: Ints) -> Ints:
        """The minute [groups] of the first failure since one, where the window shows it."""
        minutes = self.first + np.arange(len(self.failed))
        is_one = (self.failed > 0.0) & (minutes[:, None] >= since)
        found = minutes[is_one.argmax(axis=0)]
        return np.asarray(np.where((since >= self.first) & is_one.any(axis=0), found, since))


class Windows:
    """Makes windows of what is counted, without incidents that are over."""

    def __init__(self, habit: ErrorHabit, closed_minute: Mapping[int, int]) -> None:
        """`closed_minute`: by group, up to which minute all was told and is over."""
        self._habit, self._closed_minute = habit, closed_minute

    def of(self, groups: Ints, minute: int) -> Window:
        """The minutes of `groups` (ascending) up to the hour of `minute`."""
        hour = minute // 60
        failed, total = self._habit.minutes(groups, 60 * hour + 59, WINDOW)
        window = Window(groups, failed, total, 60 * hour - 60, minute - 60 * hour + 60)
        self._blank_closed(window)
        return window

    def _blank_closed(self, window: Window) -> None:
        for group, closed in self._closed_minute.items():
            column = np.searchsorted(window.groups, group)
            is_there = column < len(window.groups) and window.groups[column] == group
            if is_there and closed >= window.first:
                window.failed[: closed - window.first + 1, column] = 0.0
                window.total[: closed - window.first + 1, column] = 0.0
