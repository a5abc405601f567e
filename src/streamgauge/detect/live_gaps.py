"""How rows look live where some of their minutes come late: quiet now, filled in a little later.

Rollups, read afterwards, show such a row active in every minute; live, each late minute looks like
a silence. Learned per row, for all levels alike:

1. When a row's newest minute moves on, the minutes it skipped are marked (the last 63 of them).
2. A line that comes for a marked minute proves that it was late, and unmarks it. What stays marked
   was a real silence, and teaches nothing.
3. With r runs of late minutes in n minutes, m long on average, a quiet of k minutes is worth at
   most -ln((r + 1/2) / (n + 1)) - (k - 1)·ln(1 - 1/m) nats. A row that was never late has no limit.

Only what comes in small parts is live; a history that is loaded says nothing of when it came.

Source: tail of a geometric run length with a Jeffreys rate, Gelman et al., Bayesian Data Analysis
(3rd ed.), section 2.8.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.stamps import distinct

_LONGEST_PART_MINUTES = 64
_KEPT_MINUTES = 20_160.0
"""Two weeks; then all weighs half."""
_FEWEST_RUNS = 0.5


class LiveGaps:
    """Arrays by row, 20 bytes each."""

    def __init__(self) -> None:
        self._skipped: Array = np.zeros(64, np.uint64)
        """Bit b is set if the minute b before the newest was skipped, and has not come."""
        self._minutes: Floats = np.zeros(64, np.float32)
        self._runs: Floats = np.zeros(64, np.float32)
        self._late: Floats = np.zeros(64, np.float32)

    def observe(self, arrivals: Arrivals, touched: Ints, last_s: Floats) -> None:
        """Take what was inserted, before `last_s` ([rows], epoch seconds) hears of it.

        Args:
            arrivals: what was inserted.
            touched: its rows, ascending, each once.
            last_s: the newest stamp of every row; has room for all of `touched`.
        """
        minute = arrivals.minute
        if not len(minute) or minute.max() - minute.min() > _LONGEST_PART_MINUTES:
            return
        self._make_room(len(last_s))
        newest = np.floor(last_s[touched] / 60.0)
        filled: dict[int, list[Ints]] = {}
        minutes = np.unique(minute).tolist()
        for now in minutes:
            here = self._places(touched, arrivals.rows[minute == now] if minutes[1:] else None)
            here = here[(touched[here] > 0) & np.isfinite(newest[here])]
            rows, behind = touched[here], newest[here] - now
            self._fill(rows, behind, filled)
            at = np.flatnonzero(behind < 0.0)
            self._advance(rows[at], -behind[at])
            newest[here[at]] = now
        self._count(filled)

    def most_nats(self, rows: Ints, quiet_s: Floats) -> Floats:
        """The most [rows] that a quiet of so many seconds may be worth; infinite if never late."""
        self._make_room(int(rows.max(initial=0)) + 1)
        runs, minutes = self._runs[rows], self._minutes[rows]
        mean = 1.0 + (self._late[rows] - runs + 0.5) / (runs + 1.0)
        beyond = np.maximum(quiet_s / 60.0 - 1.0, 0.0)
        share = np.minimum((runs + 0.5) / (minutes + 1.0), 1.0)
        nats = -np.log(share) - beyond * np.log1p(-1.0 / mean)
        return np.where(runs >= _FEWEST_RUNS, nats, np.inf)

    def is_filled(self, row: int, since_s: float, last_s: float) -> bool:
        """Whether lines came late for the minutes that a row skipped after `since_s`."""
        behind = int(last_s // 60 - since_s // 60)
        if row >= len(self._runs) or not 1 < behind <= 64:
            return False
        skipped = np.arange(1, behind, dtype=np.uint64)
        left = (self._skipped[row] >> skipped) & np.uint64(1)
        return bool(left.mean() <= 0.5)

    def _fill(self, rows: Ints, behind: Floats, filled: dict[int, list[Ints]]) -> None:
        at = (behind > 0.0) & (behind < 64.0)
        for bit in np.unique(behind[at]).tolist():
            one = np.uint64(1) << np.uint64(bit)
            here = rows[behind == bit]
            here = here[(self._skipped[here] & one) != 0]
            self._skipped[here] &= ~one
            filled.setdefault(int(bit), []).append(here)

    def _advance(self, rows: Ints, by: Floats) -> None:
        is_far = by >= 64.0
        step = np.where(is_far, 1.0, by).astype(np.uint64)
        one = np.uint64(1)
        # The minute that was the newest is bit `step` now, and was not skipped.
        fresh = ((one << step) - one) & ~one
        moved = np.where(is_far, np.uint64(0), (self._skipped[rows] << step) | fresh)
        self._skipped[rows] = moved
        minutes = self._minutes[rows] + np.minimum(by, 64.0)
        half = np.where(minutes > _KEPT_MINUTES, 0.5, 1.0)
        self._minutes[rows] = minutes * half
        self._runs[rows] *= half
        self._late[rows] *= half

    def _count(self, filled: dict[int, list[Ints]]) -> None:
        rows_of = {bit: np.concatenate(parts) for bit, parts in filled.items()}
        for bit, rows in rows_of.items():
            self._late[rows] += 1.0
            older = rows_of.get(bit + 1)
            starts = rows if older is None else np.setdiff1d(rows, older)
            self._runs[starts] += 1.0

    def _places(self, touched: Ints, rows: Ints | None) -> Ints:
        """Places in `touched` of some of them; None: of all."""
        if rows is None:
            return np.arange(len(touched))
        return np.searchsorted(touched, distinct(rows, int(touched[-1]) + 1))

    def _make_room(self, rows: int) -> None:
        self._skipped = grown(self._skipped, rows, 0)
        self._minutes = grown(self._minutes, rows, 0)
        self._runs = grown(self._runs, rows, 0)
        self._late = grown(self._late, rows, 0)
