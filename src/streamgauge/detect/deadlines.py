"""When each group has to be looked at next, so that a tick looks at few: lazy timers.

A deadline is the earliest time at which evidence could be enough if nothing more came. A message
does not touch it: when the watermark passes it, the group is looked at, and gets the next one. What
could make a deadline come too late (a habit fitted anew, other excuses, time that proves to have
been seen) takes all of them, or those of the rows concerned, back.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown


class Deadlines:
    """Event time by group."""

    def __init__(self) -> None:
        self._at_s: Floats = np.zeros(64)
        """Epoch seconds [groups]; 0: it has to be looked at."""
        self._count = 0
        self._version: object = None

    def make_room(self, groups: int) -> None:
        """There are so many groups."""
        self._count = groups
        self._at_s = grown(self._at_s, groups, 0.0)

    def due(self, watermark: float, version: object) -> Ints:
        """The groups to look at.

        Args:
            watermark: epoch seconds.
            version: with another one no deadline holds.
        """
        if version != self._version:
            self._version = version
            self._at_s[:] = 0.0
        return np.flatnonzero(self._at_s[: self._count] <= watermark)

    def put(self, groups: Ints, at_s: Floats | float) -> None:
        """Not before this time (epoch seconds) need they be looked at again."""
        self._at_s[groups] = at_s

    def take_back(self, groups: Ints) -> None:
        """Look at these at the next turn."""
        self._at_s[groups] = 0.0
