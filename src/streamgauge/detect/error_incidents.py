"""Hours of incidents, with all groups that count the messages of those that failed."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Ints

_KEPT_HOURS = 36 * 24
_FOR_EVER = 1 << 40


class Incidents:
    """When messages of which groups failed more than usual."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, Ints]] = {}
        """By who failed: since which hour, and the groups."""
        self._over: list[tuple[int, int, Ints]] = []

    def begin(self, group: int, hour: int, groups: Ints) -> None:
        """One of `group` goes on since an hour; `groups` count its messages."""
        self._open[group] = (hour, groups)

    def end(self, group: int, hour: int) -> Ints:
        """It is over; returns the groups that count its messages."""
        first, groups = self._open.pop(group, (hour, np.array([group], np.int64)))
        self._over = [one for one in self._over if one[1] > hour - _KEPT_HOURS]
        self._over.append((first, hour, groups))
        return groups

    def within(self, groups: Ints, hours: Ints) -> Bools:
        """Whether there was one, [hours, groups]."""
        found = np.zeros((len(hours), len(groups)), bool)
        for first, last, some in self._all():
            is_hit = np.isin(groups, some)
            if is_hit.any():
                found |= ((hours >= first) & (hours <= last))[:, None] & is_hit
        return found

    def at(self, groups: Ints, hours: Ints) -> Bools:
        """Whether there was one, [n], of groups and hours that belong together."""
        found = np.zeros(len(groups), bool)
        for first, last, some in self._all():
            found |= (hours >= first) & (hours <= last) & np.isin(groups, some)
        return found

    def _all(self) -> list[tuple[int, int, Ints]]:
        return [*self._over, *((first, _FOR_EVER, some) for first, some in self._open.values())]
