"""How much the level of a place changes from one part of the day to the next, without a fault.

A day has four parts of six hours. Per place and part: the mean square of how the part's log level
differs from the level before it (`baseline`), less what chance and doubt about that level explain.
A change of a kind never seen there, such as a fault, counts little (squares are winsorised). It
begins with the fleet's median, which weighs four days. From history, the change of each part
against the same one a week before.

Evidence is weighed with an upper bound of it: 95 of 100 variances estimated from n days lie below.

Sources: method of moments, Clark & Perry, Biometrics 45 (1989); the bound, Wilson & Hilferty, PNAS
17 (1931).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Floats, Ints, grown

PARTS = 4
PART_QUARTERS = 24
"""Quarters of an hour in a part of the day."""
_PRIOR_VARIANCE = 0.005
_PRIOR_DAYS = 4.0
_LEAST_EXPECTED = 20.0
"""Messages in a part: fewer tell nothing."""
_MOST, _MOST_AT_FIRST = 6.0, 0.01
"""A square counts as so many variances at most, or as this one."""
_LONGEST_DAYS = 42.0
_LOWEST, _PRIOR_LOWEST, _PRIOR_HIGHEST = 1e-4, 2e-4, 0.03
_FLEET = 10
_Z = 1.645
_BEFORE = 8
"""Quarters: a change may have begun so long before it is noticed."""


class Moods:
    """Arrays by place; a place takes 20 bytes."""

    def __init__(self) -> None:
        self._sum: Floats = np.zeros((64, PARTS), np.float32)
        self._days: Floats = np.zeros(64, np.float32)
        self._prior: Floats = np.full(PARTS, _PRIOR_VARIANCE)

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        self._sum, self._days = grown(self._sum, places, 0), grown(self._days, places, 0)

    def variance(self, places: Ints) -> Floats:
        """[places, parts]"""
        total = self._sum[places] + _PRIOR_DAYS * self._prior
        mean = total / (self._days[places] + _PRIOR_DAYS)[:, None]
        return np.asarray(np.maximum(mean, _LOWEST))

    def bound(self, places: Ints, since: Ints, until: int) -> Floats:
        """Upper bound [places] of the variance of the mean level between two quarters of an hour.

        A level that wanders by v a day is v/3 a day from where it began in the mean of many days;
        what begins within one part of the day has all of that part's change.
        """
        days = self._days[places] + _PRIOR_DAYS
        share = 2.0 / (9.0 * days)
        bound = self.variance(places) / (1.0 - share - _Z * np.sqrt(share))[:, None] ** 3
        first = (since - _BEFORE) // PART_QUARTERS
        count = np.minimum(until // PART_QUARTERS - first + 1, PARTS)
        parts = (np.arange(PARTS)[None, :] - first[:, None]) % PARTS
        of_parts = (bound * (parts < count[:, None])).sum(1)
        days_after = np.maximum(until - since, 0) / (PARTS * PART_QUARTERS)
        share = np.where(count > 1, 0.5 + 0.5 * days_after, 1.0)
        return np.asarray(share * of_parts)

    def take(self, part: int, places: Ints, change: Floats, chance: Floats) -> None:
        """A part of the day is over, [places].

        Args:
            part: 0 … 3.
            places: of which it is known.
            change: ln of its level over the one before.
            chance: the variance that chance and doubt give `change`.
        """
        most = np.maximum(_MOST * self.variance(places)[:, part], _MOST_AT_FIRST)
        square = np.minimum(change**2 - chance, most)
        keep = 1.0 - 1.0 / np.maximum(self._days[places], _LONGEST_DAYS) * (
            self._days[places] >= _LONGEST_DAYS
        )
        self._sum[places, part] = self._sum[places, part] * keep + square
        self._days[places] = np.minimum(self._days[places] + 1.0 / PARTS, _LONGEST_DAYS)

    def take_history(self, totals: Array, first: int, dispersion: Floats) -> None:
        """Totals [parts, places] of parts of days one after the other, from part `first` on."""
        week = 7 * PARTS
        if len(totals) < week + 2:
            return
        log = np.log(np.maximum(totals, 0.0) + 1.0)
        unlike = log[week:] - log[:-week]
        change = unlike[1:] - unlike[:-1]
        least = np.minimum(totals[week + 1 :], totals[1:-week])
        least = np.minimum(least, np.minimum(totals[week:-1], totals[: -week - 1]))
        every = np.arange(totals.shape[1])
        chance = 2.0 / np.maximum(least, 1.0) + 2.0 * np.minimum(dispersion, 1.0) / 6.0
        for at, (of_part, few, by_chance) in enumerate(zip(change, least, chance, strict=True)):
            told = few >= _LEAST_EXPECTED
            part = (first + week + 1 + at) % PARTS
            # Four random parts were compared: half of it is as much as one against what is known.
            self.take(part, every[told], of_part[told] * np.sqrt(0.5), by_chance[told])

    def learn_fleet(self) -> None:
        """What a new place is begun with: the median over all."""
        told = self._days >= 2.0
        if told.sum() >= _FLEET:
            means = self._sum[told] / self._days[told][:, None]
            self._prior = np.clip(np.median(means, axis=0), _PRIOR_LOWEST, _PRIOR_HIGHEST)
