"""Which groups with failures are weighed at a turn, so that no turn takes long."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Ints
from streamgauge.detect.levels import Levels

_AT_A_TURN = 2048
"""So many groups without new failures are weighed again at a turn, one after the other."""


class Turns:
    """Who failed since the last turn, and of the others whose turn it is."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._news: Ints = np.zeros(0, np.int64)
        """Groups with failures that were not weighed yet."""
        self._next = 0
        """Of others, the first to be weighed again."""

    def hear(self, flows: Ints) -> None:
        """These flows failed since the last turn."""
        rows = self._levels.flow_rows[flows].ravel()
        if len(rows):
            self._news = np.union1d(self._news, self._levels.row_group[rows[rows > 0]])

    def to_weigh(self, groups: Ints, open_now: Ints) -> tuple[Ints, Ints]:
        """Those to weigh at this turn and the others: of many all with new failures, and some."""
        is_new = np.isin(groups, self._news) | np.isin(groups, open_now)
        others = np.flatnonzero(~is_new)
        if len(others) <= _AT_A_TURN:
            is_new[others] = True
        else:
            first = int(np.searchsorted(groups[others], self._next))
            some = np.roll(others, -first)[:_AT_A_TURN]
            self._next = int(groups[some[-1]]) + 1
            is_new[some] = True
        self._news = np.zeros(0, np.int64)
        return groups[is_new], groups[~is_new]
