"""How clumped the counts of a row are (negative binomial 1/r), by its own hours and by the fleet.

The moments of few messages, or of few days, tell nothing, or that there are no clumps; believed,
they make a small customer's usual pause a sure silence. So a row's own estimate d, with variance
4·Σv²/(Σμ²)² for hours of mean μ and variance v, is shrunk to what is usual in the fleet (u, a
median over rows that are known well) by var / (var + u²).

Sources: moments of 1/r, Clark & Perry, Biometrics 45 (1989); shrinkage by the error of each
estimate, Efron & Morris, JASA 70 (1975). The 4 is twice the normal one: counts have heavy tails.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats

LEAST = 0.05
"""A fleet is taken to be no evener."""
_ROWS_NEEDED = 20
_HEAVY = 4.0


@dataclass(slots=True)
class UsualSpread:
    """What is usual in the fleet: 1/r of an hour's messages, and of its minutes with a message."""

    counts: float = LEAST
    activity: float = LEAST

    def learn(self, counts: Floats, activity: Floats) -> None:
        """Take what rows that are known well have [n], [m]; too few say nothing."""
        if len(counts) >= _ROWS_NEEDED:
            self.counts = max(float(np.median(counts)), LEAST)
        if len(activity) >= _ROWS_NEEDED:
            self.activity = max(float(np.median(activity)), LEAST)


def shrunk(excess: Floats, square: Floats, variance_square: Floats, usual: float) -> Floats:
    """1/r [rows].

    Args:
        excess: [rows] Σ((x - μ)² - variance by chance) over hours.
        square: [rows] Σμ².
        variance_square: [rows] Σv², v the variance of an hour that is as clumped as usual.
        usual: of the fleet.
    """
    square = np.maximum(square, 1e-12)
    doubt = _HEAVY * variance_square / square**2
    weight = doubt / (doubt + usual**2)
    own = np.maximum(excess, 0.0) / square
    return np.asarray(np.clip((1.0 - weight) * own + weight * usual, 1e-4, 20.0))
