"""Evidence of a kind of error that is new: most messages fail for a reason that is not usual there.

Chance brings such a reason with a probability that was learned (`reason_habit`), once for all that
fails since: a vendor that words its errors anew makes none of it.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.error_incidents import Incidents
from streamgauge.detect.levels import Levels
from streamgauge.detect.reason_habit import ReasonHabit
from streamgauge.detect.reasons import MOST_TEXTS, Reasons

_MOST = 0.5
"""Of all that failed since it began."""
_LOOKED_NATS = float(np.log(2.0))
"""What it costs to look at reasons as well as at counts."""
_MOST_NATS = 9.0
_LEAST_FAILED = 2.0


class Novelty:
    """What unusual reasons add to the evidence of deliveries."""

    def __init__(self, levels: Levels, reasons: Reasons) -> None:
        self._reasons = reasons
        self._habit = ReasonHabit(levels)
        self._settled = -1

    def settle(self, hour: int, incidents: Incidents) -> None:
        """Learn from all hours before `hour` that are no part of an incident."""
        if hour > self._settled:
            self._settled = hour
            settled = self._reasons.settle(hour)
            self._habit.forget(self._reasons.take_forgotten())
            self._habit.learn(settled.part(~incidents.at(settled.of, settled.at)))

    def nats(self, groups: Ints, since: Ints, which: Bools) -> tuple[Floats, list[str]]:
        """What the commonest reason [groups] since a minute adds, and its text ("": nothing).

        Args:
            groups: ascending.
            since: minutes since the epoch, [groups].
            which: of which groups it is asked.
        """
        nats, why = np.zeros(len(groups)), [""] * len(groups)
        at = np.flatnonzero(which)
        if not len(at):
            return nats, why
        place, failed = self._reasons.since(groups[at], since[at])
        if not len(place):
            return nats, why
        all_ = np.bincount(place, failed.count, len(at))
        hours = np.bincount(np.unique((place << 32) | failed.at) >> 32, minlength=len(at))
        keys, cell = np.unique(place * MOST_TEXTS + failed.code, return_inverse=True)
        count = np.bincount(cell, failed.count)
        with_ = np.bincount(cell).astype(np.float64)
        owner, code = keys // MOST_TEXTS, keys % MOST_TEXTS
        is_most = (count > _MOST * all_[owner]) & (code > 0) & (count >= _LEAST_FAILED)
        owner, code, with_ = owner[is_most], code[is_most], with_[is_most]
        chance = self._habit.chance(groups[at][owner], code, hours[owner].astype(float), with_)
        gain = np.clip(-np.log(chance) - _LOOKED_NATS, 0.0, _MOST_NATS)
        nats[at[owner]] = gain
        for one, number in zip(owner[gain > 1.0].tolist(), code[gain > 1.0].tolist(), strict=True):
            why[int(at[one])] = self._reasons.text(number)
        return nats, why
