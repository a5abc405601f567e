"""How late messages are told, in event time: when an hour can be taken for complete."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints

_LONGEST_MINUTES = 6 * 60
_SHORTEST_MINUTES = 10
_USUAL = 0.999
_KEPT = 0.9995
_ROWS_NEEDED = 1000.0


class Lateness:
    """Of the platform: minutes between the newest stamp and those that came with or after it."""

    def __init__(self) -> None:
        self._newest = -1
        self._rows: Floats = np.zeros(_LONGEST_MINUTES + 1)

    def observe(self, minutes: Ints) -> None:
        """Stamps of rows, minutes since the epoch, that came just now."""
        if not len(minutes):
            return
        if self._newest >= 0:
            late = np.clip(self._newest - minutes, 0, _LONGEST_MINUTES)
            self._rows *= _KEPT
            self._rows += np.bincount(late, minlength=_LONGEST_MINUTES + 1)
        self._newest = max(self._newest, int(minutes.max()))

    def settles_s(self) -> float:
        """Seconds after its end in which 999 of 1,000 rows of an hour have come: 10 min to 6 h."""
        total = self._rows.sum()
        if total < _ROWS_NEEDED:
            return 60.0 * 2 * _SHORTEST_MINUTES
        usual = int(np.argmax(np.cumsum(self._rows) >= _USUAL * total))
        return 60.0 * max(usual + 1, _SHORTEST_MINUTES)
