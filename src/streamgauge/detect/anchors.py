"""Holds the habit's level where a place is on an excursion: it must not follow what is judged.

The habit follows a new level within two days: half of a drop would be gone before a small sender's
is proven. The level is measured by what the habit expects of the week before it was noticed.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.watcher import Usual

_WEEK_S = 7 * 86_400.0
_QUARTER_S = 900.0
_MOST = 2.5


class Anchors:
    """Arrays by place; a place takes 12 bytes."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._week: Floats = np.zeros(64, np.float32)
        """Messages that the habit expected of the week; 0: not held."""
        self._until: Ints = np.zeros(64, np.int32)
        """The quarter at which that week ended."""
        self._factor: Floats = np.ones(64, np.float32)

    def factors(self, is_away: Bools, rows: Ints, quarter: int) -> Floats:
        """By what [places] the habit of now has to be multiplied; looked at once an hour."""
        size = len(is_away)
        self._make_room(size)
        self._week[:size][~is_away] = 0.0
        self._factor[:size][~is_away] = 1.0
        fresh = np.flatnonzero(is_away & (self._week[:size] == 0.0))
        self._until[fresh] = quarter
        self._week[fresh] = self._weeks(rows[fresh], fresh)
        if quarter % 4 == 0:
            held = np.flatnonzero(is_away)
            now = np.maximum(self._weeks(rows[held], held), 1e-9)
            self._factor[held] = np.clip(self._week[held] / now, 1.0 / _MOST, _MOST)
        return self._factor[:size].astype(float)

    def _weeks(self, rows: Ints, places: Ints) -> Floats:
        ends = self._until[places] * _QUARTER_S
        return self._usual.expected(rows, ends - _WEEK_S, ends)

    def _make_room(self, size: int) -> None:
        self._week, self._until = grown(self._week, size, 0), grown(self._until, size, 0)
        self._factor = grown(self._factor, size, 1.0)
