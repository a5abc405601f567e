"""Remembers what long quiet amounted to up to the running hour, so that a tick only adds that hour.

Only of rows that have been asked for while they were quiet for hours: they are few.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown

_LONG_HOURS = 2
"""Of a shorter quiet nothing is worth to be remembered."""


class WholeHours:
    """Two sums for each row that was asked for."""

    def __init__(self) -> None:
        self._slot: Ints = np.zeros(64, np.int32)
        """[rows]: one more than its place in what follows; 0: nothing is remembered."""
        self._count = 0
        self._sums: Floats = np.zeros((64, 4))
        """[slots, (hour, last message, evidence of hours that were seen, of others)]"""

    def forget(self) -> None:
        """Nothing holds any more."""
        if self._count:
            self._slot, self._count = np.zeros(len(self._slot), np.int32), 0

    def of(
        self,
        rows: Ints,
        start_s: Floats,
        hour: int,
        last_s: Floats,
        add_up: Callable[[Ints, Floats, int], tuple[Floats, Floats]],
    ) -> tuple[Floats, Floats]:
        """Evidence [rows] of hours before `hour`: of those that were seen, and of others.

        Args:
            rows: which, each once.
            start_s: from when on [rows] quiet counts.
            hour: the running one.
            last_s: the last message [rows]: with another one, what is remembered does not hold.
            add_up: tells the answer for some rows.
        """
        is_long = start_s // 3600 < hour - _LONG_HOURS
        self._slot = grown(self._slot, int(rows.max(initial=0)) + 1, 0)
        known = self._known(rows, hour, last_s) & is_long
        found = np.zeros((len(rows), 2))
        found[known] = self._sums[self._slot[rows[known]] - 1, 2:]
        asked = np.flatnonzero(~known)
        if len(asked):
            found[asked] = np.stack(add_up(rows[asked], start_s[asked], hour), axis=1)
            kept = asked[is_long[asked]]
            self._keep(rows[kept], hour, last_s[kept], found[kept])
        return found[:, 0], found[:, 1]

    def _known(self, rows: Ints, hour: int, last_s: Floats) -> Bools:
        slot = self._slot[rows]
        kept = self._sums[slot - 1]
        return np.asarray((slot > 0) & (kept[:, 0] == hour) & (kept[:, 1] == last_s))

    def _keep(self, rows: Ints, hour: int, last_s: Floats, found: Floats) -> None:
        fresh = rows[self._slot[rows] == 0]
        self._slot[fresh] = self._count + 1 + np.arange(len(fresh))
        self._count += len(fresh)
        self._sums = grown(self._sums, self._count, 0.0)
        self._sums[self._slot[rows] - 1] = np.column_stack(
            [np.full(len(rows), float(hour)), last_s, found]
        )
