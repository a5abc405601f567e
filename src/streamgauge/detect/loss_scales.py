"""Weighs places against the bar: what passes it, and what else explains it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Levels
from streamgauge.detect.loss_balance import HOURS_NEEDED, Balance
from streamgauge.detect.loss_books import Books
from streamgauge.detect.loss_cause import Place
from streamgauge.model.flow import PLATFORM, Scope

CHANCES_PER_WEEK = 3 * 168.0
"""An hour is weighed once, as the end of runs that may have begun at different times."""
FEWEST = 3.0
"""Messages: nobody is told of fewer."""
_FALSE_PER_FLOW_WEEK = 0.3 / 1000.0
_PEAK_MARGIN = 1.3
_SMALLEST_SHARE = 0.002
_DARK_SHARE = 0.8
"""Where so much is missing of an hour, nothing ends: it may wait where we cannot see."""
_CATCHING_UP_SHARE = 0.05

Grown = Callable[[Scope, int], tuple[float, float]]
"""By how much the backlogs of a scope's queues grew, and fell, since the start of an hour."""
Bar = Callable[[float], float]
"""How many nats something with so many chances a week takes."""


def default_bar(chances_per_week: float) -> float:
    """0.3 false pages a week and 1,000 flows."""
    return float(np.log(chances_per_week / _FALSE_PER_FLOW_WEEK))


class Scales:
    """Over the places of the books."""

    def __init__(self, levels: Levels, books: Books, grown: Grown, bar: Bar) -> None:
        self._levels, self._books, self._grown = levels, books, grown
        self._bar_nats = bar(CHANCES_PER_WEEK)

    def balance(self, is_level: bool) -> Balance:
        """Of levels or of units."""
        return self._books.of_levels if is_level else self._books.of_units

    def bar(self, balance: Balance, at: Ints) -> Floats:
        """The evidence [at] that it takes: more than what passed without an incident."""
        peak = balance.peak_nats[at].astype(np.float64)
        return np.maximum(self._bar_nats, _PEAK_MARGIN * peak + np.where(peak > 0.0, 1.0, 0.0))

    def beyond(self, is_level: bool, at: Ints) -> dict[Place, float]:
        """Places whose run of deficits passes the bar, with what is missing."""
        balance = self.balance(is_level)
        size = np.abs(balance.missing[at])
        last_due = np.maximum(balance.last_due[at], 1e-9)
        is_dark = (balance.last_deficit[at] > _DARK_SHARE * last_due) & (last_due >= 1.0)
        sign = np.sign(balance.missing[at])
        catches_up = sign * balance.last_deficit[at] < -_CATCHING_UP_SHARE * last_due
        might = (
            (balance.hours[at] >= HOURS_NEEDED)
            & (size >= np.maximum(FEWEST, _SMALLEST_SHARE * balance.due[at]))
            & ~is_dark
            & ~catches_up
        )
        rows = at[might]
        bars = self.bar(balance, rows)
        rows, bars = rows[ok := balance.nats(rows) >= bars], bars[ok]
        found: dict[Place, float] = {}
        for row, bar in zip(rows.tolist(), bars.tolist(), strict=True):
            place, missing = Place(is_level, row), float(balance.missing[row])
            explained = self.explained(self.scope(place), int(balance.since_hour[row]), missing)
            if is_level and missing > 0.0:
                explained += self._pending_below(row)
            left = abs(missing) - explained
            one = np.array([row])
            if left >= FEWEST and float(balance.nats(one, explained)[0]) >= bar:
                found[place] = float(np.sign(missing)) * left
        return found

    def nats(self, place: Place) -> float:
        """Evidence of one place."""
        return float(self.balance(place.is_level).nats(np.array([place.number]))[0])

    def missing(self, place: Place, is_surplus: bool) -> float:
        """Messages missing (or too many) of a place; 0 if it is the other way round."""
        missing = float(self.balance(place.is_level).missing[place.number])
        return max(-missing if is_surplus else missing, 0.0)

    def explained(self, scope: Scope, since_hour: int, missing: float) -> float:
        """Messages that went into the queues of a scope, or (below zero) came out of them."""
        rose, fell = self._grown(scope, since_hour)
        return rose if missing > 0.0 else fell

    def scope(self, place: Place) -> Scope:
        """What a place is called."""
        if not place.is_level:
            return self._unit_scope(place.number)
        return self._levels.groups[int(self._books.group_at[place.number])].scope

    def _unit_scope(self, unit: int) -> Scope:
        source, _, both, _ = self._books.units.groups[unit].tolist()
        names = self._levels.groups[source]
        if both < 0:
            return Scope(names.tenant, names.source)
        integration = self._levels.groups[both].integration
        is_only = self._books.unit_count(both) == 1
        return Scope(names.tenant, None if is_only else names.source, integration)

    def _pending_below(self, row: int) -> float:
        """What is missing of units of a level of which nearly nothing ends, or which catch up."""
        books = self._books
        group, balance = int(books.group_at[row]), books.of_units
        if self._levels.groups[group].scope == PLATFORM:
            units = np.arange(books.units.count)
        else:
            units = np.flatnonzero((books.units.groups[: books.units.count] == group).any(axis=1))
        last, due = balance.last_deficit[units], balance.last_due[units]
        is_pending = (last > _DARK_SHARE * due) | (last < -_CATCHING_UP_SHARE * due)
        return float(np.maximum(balance.missing[units[is_pending]], 0.0).sum())
