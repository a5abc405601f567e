"""How throughput grows with workers: the Universal Scalability Law.

X(N) = a·N / (1 + s·(N - 1) + k·N·(N - 1)): a for one worker, s the part that they wait for each
other, k what they must agree on. N/X is linear in 1/a, s/a and k/a, none of which is below zero.

Source: Gunther, A Simple Capacity Model of Massively Parallel Transaction Systems (1993); Gunther,
Guerrilla Capacity Planning (2007), chapter 5.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamgauge.detect.arrays import Floats

COUNTS_NEEDED = 3
"""Different numbers of workers: there are three unknowns."""


class ScalabilityLaw(NamedTuple):
    """The three numbers of the law."""

    one_per_s: float
    """a: messages a second of one worker."""
    contention: float
    coherency: float

    def per_second(self, workers: float) -> float:
        """X(N), messages a second."""
        pairs = workers * (workers - 1.0)
        lost = 1.0 + self.contention * (workers - 1.0) + self.coherency * pairs
        return float(self.one_per_s * workers / lost)

    @property
    def best_workers(self) -> float:
        """Beyond so many, more make it slower; infinite if they need not agree."""
        if self.coherency <= 0.0:
            return float("inf")
        return float(np.sqrt(max(1.0 - self.contention, 0.0) / self.coherency))


def fit(workers: Floats, per_second: Floats) -> ScalabilityLaw | None:
    """The law through the most that each number of workers (1 or more, distinct) sustained.

    Deviations count by share of the rate. None: too few, or a fit that says nothing.
    """
    from scipy.optimize import nnls  # it takes as long to load as the rest of detection

    good = np.isfinite(workers) & np.isfinite(per_second) & (workers >= 1.0) & (per_second > 0.0)
    n, x = workers[good].astype(float), per_second[good].astype(float)
    if len(np.unique(n)) < COUNTS_NEEDED:
        return None
    columns = np.stack([np.ones_like(n), n - 1.0, n * (n - 1.0)], axis=1) * (x / n)[:, None]
    (base, waits, agrees), _ = nnls(columns, np.ones_like(n))
    if base <= 0.0:
        return None
    return ScalabilityLaw(1.0 / base, waits / base, agrees / base)
