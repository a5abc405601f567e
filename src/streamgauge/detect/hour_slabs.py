"""Hours of all rows, summed from those of flows when somebody asks for one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.levels import Levels
from streamgauge.detect.past import Past

_KEPT_CELLS = 20_000_000
"""Of what was asked for, 80 MB are kept."""


class HourSlabs(Mapping[int, Floats]):
    """By hour: float32 [rows], messages or failures."""

    def __init__(self, levels: Levels, past: Past, *, is_failed: bool) -> None:
        self._levels, self._past, self._is_failed = levels, past, is_failed
        self._kept: dict[int, tuple[int, Floats]] = {}

    def __len__(self) -> int:
        """How many hours."""
        return len(self._past.known_hours())

    def __iter__(self) -> Iterator[int]:
        """The hours, ascending."""
        return iter(self._past.known_hours())

    def __getitem__(self, hour: int) -> Floats:
        """What all rows, at the time, counted in an hour.

        Raises:
            KeyError: nothing was counted in that hour.
        """
        version = self._past.version(hour)
        if not version:
            raise KeyError(hour)
        kept = self._kept.get(hour)
        if kept is None or kept[0] != version:
            kept = version, self._summed(hour)
            if (len(self._kept) + 1) * self._levels.row_count > _KEPT_CELLS:
                self._kept.clear()
            self._kept[hour] = kept
        return kept[1]

    def _summed(self, hour: int) -> Floats:
        slab: Floats = np.zeros(self._levels.row_count, np.float32)
        for part in self._past.hours(None, hour, hour):
            values = part.failed if self._is_failed else part.count
            some = np.flatnonzero(values)
            for level in self._levels.flow_rows[part.flow[some]].T:
                np.add.at(slab, level, values[some])
        slab[:1] = 0.0
        return slab
