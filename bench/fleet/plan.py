"""What one run is: which fleet, how long, which faults. All of it comes from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

DAY = 1440
"""Minutes."""
START_MINUTE = 29_400_000 - 29_400_000 % 10_080 + 4 * DAY
"""Minutes since the epoch of minute 0 of every run: a Monday, 00:00 UTC."""
REPORTING_SEED = 1000
"""Seeds below it are for tuning, those from it on are for reporting: generated last, run once."""


class Family(StrEnum):
    """How kind the fleet is to statistics."""

    WELL = "well"
    """Poisson or a little more, no nuisances."""
    CLUMPY = "clumpy"
    """Clumps, bursts, drift, deploys, restarts, late data, a holiday."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that a run is made from."""

    seed: int
    family: Family = Family.CLUMPY
    customers: int = 400
    days: int = 29
    learned_days: int = 8
    """Days given as history; 0: live from the first minute on."""
    only: tuple[str, ...] = ()
    """Kinds of faults; empty: all of them."""
    has_faults: bool = True

    @property
    def minutes(self) -> int:
        """Of the whole run."""
        return self.days * DAY

    @property
    def live_from(self) -> int:
        """The first minute that is judged."""
        return self.learned_days * DAY

    @property
    def faults_from(self) -> int:
        """Faults begin after something was learned and the first hours were judged."""
        return max(self.learned_days, min(8, self.days // 2)) * DAY + 240

    @property
    def weeks(self) -> float:
        """How long it is judged."""
        return (self.minutes - self.live_from) / (7 * DAY)

    @property
    def is_clumpy(self) -> bool:
        """Whether it is the unkind family."""
        return self.family is Family.CLUMPY

    def random(self, *parts: int) -> np.random.Generator:
        """Numbers of one part of the run, which do not change with those of the others."""
        return np.random.default_rng([self.seed, *parts])
