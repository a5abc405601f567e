"""How many series of each tenant are active: seen in the running window or the one before it.

A series that keeps coming stays active; one that is not seen for a whole window is forgotten, so
that a tenant over its limit has room again without anybody's doing. What is known is kept as
hashes in sorted arrays, 8 bytes each; when more than `max_series` gather in one window it ends
early, which errs on the side of letting series in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.hashes import Hashes, contains

WINDOW_S = 1800.0
"""A series counts as active for half an hour to an hour after it was seen."""
MAX_SERIES = 2_000_000


class ActiveSeries:
    """Counts by tenant. Not thread-safe."""

    def __init__(self, window_s: float = WINDOW_S, max_series: int = MAX_SERIES) -> None:
        self._window_s, self._max_series = window_s, max_series
        self._window = -1
        self._newer: Hashes = np.zeros(0, np.uint64)
        self._older: Hashes = np.zeros(0, np.uint64)
        self._in_newer: dict[str, int] = {}
        self._active: dict[str, int] = {}

    def count(self, tenant: str) -> int:
        """Active series of a tenant, as of the last `admit`."""
        return self._active.get(tenant, 0)

    def wait_s(self, now: float) -> float:
        """Seconds until series may be forgotten, so that there may be room again."""
        return (self._window + 1) * self._window_s - now

    def admit(self, tenant: str, series: Hashes, limit: int, now: float) -> NDArray[np.bool_]:
        """Which of these series of one tenant may come in; they are active from now.

        Those that are active already may, and the first others as far as the limit allows.
        """
        self._begin_window(now)
        in_newer, in_older = contains(self._newer, series), contains(self._older, series)
        new = np.flatnonzero(~in_newer & ~in_older)
        first = np.sort(new[np.unique(series[new], return_index=True)[1]])
        allowed = series[first[: max(limit - self.count(tenant), 0)]]
        is_in: NDArray[np.bool_] = in_newer | in_older | np.isin(series, allowed)
        self._add(tenant, np.unique(series[is_in & ~in_newer]), len(allowed))
        return is_in

    def _add(self, tenant: str, series: Hashes, new_count: int) -> None:
        """Ordered series that are not in the newer window."""
        if not len(series):
            return
        self._newer = np.insert(self._newer, np.searchsorted(self._newer, series), series)
        self._in_newer[tenant] = self._in_newer.get(tenant, 0) + len(series)
        self._active[tenant] = self.count(tenant) + new_count
        if len(self._newer) > self._max_series:
            self._forget_older()

    def _begin_window(self, now: float) -> None:
        window = int(now // self._window_s)
        if window == self._window:
            return
        self._forget_older()
        if window != self._window + 1:
            self._forget_older()
        self._window = window

    def _forget_older(self) -> None:
        self._older, self._newer = self._newer, np.zeros(0, np.uint64)
        self._active, self._in_newer = self._in_newer, {}
