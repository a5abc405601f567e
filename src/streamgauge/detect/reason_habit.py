"""Which reasons are usual: how likely it is that a failing hour of a delivery brings this one.

1. The unit is an hour of one customer's delivery to one integration in which something failed:
   failures of an hour come together, so a burst of one reason is seen once.
2. A reason that came in h of H such hours comes in the next one with (h + s·q)/(H + s), where q is
   its share among all customers of the integration and s = 10 hours.
3. For one never seen in the integration, q is the share of hours that bring something new: Good
   and Turing's, hours of reasons seen in one hour only, of the delivery itself and of the fleet.

Hours of incidents are no part of it, so that what fails again for the same reason is new again.

Source: Good, Biometrika 40 (1953); Efron & Hastie, Computer Age Statistical Inference, chapter 6.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.reasons import MOST_TEXTS, Failed

_PRIOR_HOURS = 10.0
_KNOWN_HOURS = 8.0
"""Deliveries with fewer say little of how often something new comes."""
_LEAST_NEW, _MOST_NEW = 1e-4, 0.3
_UNKNOWN = -2


class ReasonHabit:
    """Failing hours of deliveries and of integrations, by reason."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._keys: Ints = np.zeros(0, np.int64)
        """Group and reason in one number, ascending."""
        self._with: Floats = np.zeros(0)
        """Hours with that reason."""
        self._failing: Floats = np.zeros(64)
        """Failing hours [groups]; of an integration those of its deliveries."""
        self._once: Floats = np.zeros(64)
        """Reasons [groups] that came in one hour only."""
        self._new = _MOST_NEW
        self._integration: Ints = np.full(64, _UNKNOWN, np.int64)
        """The integration [groups] of each delivery, once asked for."""

    def learn(self, settled: Failed) -> None:
        """Take failures by hour, delivery and reason, each once."""
        if not len(settled.at):
            return
        self._failing = grown(self._failing, self._levels.group_count, 0.0)
        hours = np.unique((settled.at << 32) | settled.of) & 0xFFFFFFFF
        above, above_of_hours = self._above(settled.of), self._above(hours)
        np.add.at(self._failing, hours, 1.0)
        np.add.at(self._failing, above_of_hours[above_of_hours >= 0], 1.0)
        is_below = above >= 0
        keys = np.concatenate(
            [_key(settled.of, settled.code), _key(above[is_below], settled.code[is_below])]
        )
        known = self._keys
        self._keys = np.union1d(known, keys)
        with_ = np.zeros(len(self._keys))
        with_[np.searchsorted(self._keys, known)] = self._with
        np.add.at(with_, np.searchsorted(self._keys, keys), 1.0)
        self._with = with_
        self._count_new()

    def forget(self, codes: Ints) -> None:
        """These numbers of reasons mean nothing any more."""
        if len(codes):
            kept = ~np.isin(self._keys % MOST_TEXTS, codes)
            self._keys, self._with = self._keys[kept], self._with[kept]

    def chance(self, groups: Ints, codes: Ints, hours: Floats, with_: Floats) -> Floats:
        """How likely [n] a failing hour of a delivery brings a reason.

        Args:
            groups: of deliveries, [n].
            codes: numbers of reasons, [n].
            hours: failing hours [n] that are weighed now, and no part of what is usual.
            with_: those of them with this reason.
        """
        own, all_ = self._seen(groups, codes)
        own, all_ = np.maximum(own - with_, 0.0), np.maximum(all_ - hours, 0.0)
        above = self._above(groups)
        of_integration, in_all = self._seen(above, codes)
        of_integration = np.maximum(of_integration - with_, 0.0)
        share = of_integration / np.maximum(in_all - hours, 1.0)
        once = np.where(own > 0.0, 0.0, self._at(self._once, groups))
        share = np.clip(np.maximum(share, self._new), 0.0, 1.0)
        return np.asarray(
            np.clip(
                (np.maximum(own, once) + _PRIOR_HOURS * share) / (all_ + _PRIOR_HOURS), 0.0, 1.0
            )
        )

    def _seen(self, groups: Ints, codes: Ints) -> tuple[Floats, Floats]:
        """Hours with a reason, and failing hours, of groups; -1 has none."""
        keys = _key(np.maximum(groups, 0), codes)
        place = np.minimum(np.searchsorted(self._keys, keys), max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.zeros(len(groups)), np.zeros(len(groups))
        is_there = (self._keys[place] == keys) & (groups >= 0)
        hours = np.where(groups >= 0, self._at(self._failing, np.maximum(groups, 0)), 0.0)
        return np.where(is_there, self._with[place], 0.0), hours

    def _at(self, values: Floats, groups: Ints) -> Floats:
        return np.where(groups < len(values), values[np.minimum(groups, len(values) - 1)], 0.0)

    def _above(self, groups: Ints) -> Ints:
        """The integration [n] of each delivery, -1: none."""
        self._integration = grown(self._integration, self._levels.group_count, _UNKNOWN)
        for group in np.unique(groups[self._integration[groups] == _UNKNOWN]).tolist():
            names = self._levels.groups[group]
            found = self._levels.find(Names(Level.INTEGRATION, None, None, names.integration))
            self._integration[group] = -1 if found is None else found
        return self._integration[groups]

    def _count_new(self) -> None:
        groups = self._keys // MOST_TEXTS
        size = len(self._failing)
        is_once = (self._with == 1.0) & (self._keys % MOST_TEXTS > 0)
        self._once = np.bincount(groups[is_once], minlength=size).astype(np.float64)
        is_known = self._failing >= _KNOWN_HOURS
        is_known &= self._levels.group_level[:size] == Level.TENANT_INTEGRATION
        found = (self._once[is_known].sum() + 1.0) / (self._failing[is_known].sum() + 1.0)
        self._new = float(np.clip(found, _LEAST_NEW, _MOST_NEW))


def _key(groups: Ints, codes: Ints) -> Ints:
    return np.asarray(groups.astype(np.int64) * MOST_TEXTS + codes)
