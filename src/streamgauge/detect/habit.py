"""What is usual for every row, in few bytes: what `refit` found out, and how it is read.

A (tenant, source), a tenant and what is above them has a week of its own (`weeks`). A flow, and a
tenant's part of an integration, has the week of the row above it, times a level of its own; how
many of its minutes have a message follows from the rate and from how many messages come at once.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.nats import minute_nats_of
from streamgauge.detect.spread import UsualSpread
from streamgauge.detect.weeks import WEEK, Weeks

_SINGLE = ("active_minutes", "interval_s", "active_per_day", "mean_rate", "hours", "level", "clump")
"""Arrays of four bytes a row."""
_HALF = (
    "dispersion",
    "activity_dispersion",
    "report_minutes",
    "is_steady",
    "peak_nats",
    "fastest_nats",
)
"""Arrays of two bytes a row: numbers between 1e-4 and 6e4, three digits of them."""
_KNOWN_HOURS, _KNOWN_MESSAGES = 72.0, 500.0
_SPARSE_MINUTES = 24.0 * 45.0
"""A day; who speaks in nearly every minute does not tell how clumped they are."""
MOST_NATS = 30_000.0
"""More evidence is no surer."""
SCALARS = (*_SINGLE, *_HALF)


class Habit:
    """Arrays indexed by row, 44 bytes each."""

    def __init__(self) -> None:
        def zeros() -> Floats:
            return np.zeros(64, np.float32)

        def halves() -> Floats:
            return np.zeros(64, np.float16)

        self.weeks = Weeks()
        self.usual = UsualSpread()
        self.week: Ints = np.full(64, -1, np.int32)
        """The slot of its week; -1: nothing is known yet."""
        self.level = zeros()
        """By how much that week is to be multiplied."""
        self.clump = zeros()
        """Messages that come at once, of a row that borrows its week; 0: it is its own."""
        self.dispersion = halves()
        """1/r of messages an hour."""
        self.activity_dispersion = halves()
        """1/r of active minutes an hour."""
        self.active_minutes = zeros()
        """How many minutes with a message were learned from."""
        self.interval_s = zeros()
        """The usual time between its reports."""
        self.report_minutes = halves()
        """Minutes in which exactly one report is due; 1 unless the sender is regular."""
        self.is_steady = halves()
        """1 where a report comes in every minute (or regular interval) of its hours, however many
        messages it holds; else 0: what was sure in three afternoons may be an hour's mood."""
        self.peak_nats = halves()
        """The strongest evidence of silence in the past that was none."""
        self.fastest_nats = halves()
        """The most evidence that a minute without a message can be."""
        self.active_per_day = zeros()
        self.mean_rate = zeros()
        """Messages an hour over all its time."""
        self.hours = zeros()
        """Seen hours that were learned from."""

    def make_room(self, rows: int) -> None:
        """Grow to `rows`."""
        if rows > len(self.week):
            self.week = grown(self.week, rows, -1)
            for name in SCALARS:
                setattr(self, name, grown(getattr(self, name), rows, 0))

    def learn_usual(self) -> None:
        """How clumped rows of the fleet usually are, of those that are known well."""
        is_own = (self.week >= 0) & (self.clump == 0.0) & (self.hours >= _KNOWN_HOURS)
        has_many = self.mean_rate * self.hours >= _KNOWN_MESSAGES
        is_sparse = self.active_per_day <= _SPARSE_MINUTES
        is_active = is_sparse & (self.active_minutes >= _KNOWN_MESSAGES)
        self.usual.learn(
            self.dispersion[is_own & has_many].astype(float),
            self.activity_dispersion[is_own & is_active].astype(float),
        )

    def rate(self, rows: Ints, place: int | Ints) -> Floats:
        """Messages an hour [rows] in an hour of the week; 0 is Thursday 00:00 UTC (epoch)."""
        return np.asarray(self.level[rows] * self.weeks.rate(self.week[rows], place))

    def nats(self, rows: Ints, place: int | Ints) -> Floats:
        """Evidence [rows] against "it still speaks" in a minute without a message."""
        found = self.weeks.nats(self.week[rows], place)
        found[self.week[rows] < 0] = 0.0
        at = np.flatnonzero(self.clump[rows] > 0.0)
        if len(at):
            rows = rows[at]
            rate = self.rate(rows, place[at] if isinstance(place, np.ndarray) else place)
            found[at] = self._minute_nats(rows, rate)
        return found

    def is_known(self, rows: Ints, place: int | Ints) -> Bools:
        """Whether [rows] that hour of the week was seen; else it is guessed from the others."""
        return self.weeks.is_known(self.week[rows], place) & (self.week[rows] >= 0)

    def day_learned(self, rows: Ints, day: int | Ints) -> Floats:
        """Active minutes [rows] from which a day of the week is known: all of the row's, but of a
        day that is far quieter than the others only its own.
        """
        share = self.weeks.day_share(self.week[rows], day)
        return np.where(self.week[rows] >= 0, self.active_minutes[rows] * share, 0.0)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return int(self.weeks.nbytes + (4 * len(_SINGLE) + 2 * len(_HALF) + 4) * len(self.week))

    def _minute_nats(self, rows: Ints, rate: Floats) -> Floats:
        bucket = np.maximum(self.report_minutes[rows].astype(np.float32), 1.0)
        activity = active_minutes_of(rate, self.clump[rows], bucket)
        return minute_nats_of(activity, rate, self.hours[rows], bucket)


def active_minutes_of(rate: Floats, clump: Floats, bucket: Floats) -> Floats:
    """Minutes an hour with a message, where `clump` messages come at once, by chance, and no more
    than one such minute in `bucket`.
    """
    most = 60.0 / bucket
    return np.asarray(-most * np.expm1(-rate / (most * np.maximum(clump, 1e-9))))


__all__ = ["MOST_NATS", "SCALARS", "WEEK", "Habit", "active_minutes_of"]
