"""Evidence that counts left their usual level, in nats.

Counts of a block of time are negative binomial: mean e, variance e + a·e².

Sources: negative binomial CUSUM, Höhle & Paul, Computational Statistics & Data Analysis 52 (2008);
its tail, Chernoff, Ann. Math. Stat. 23 (1952).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats

_TINY = 1e-9


def step_nats(
    counted: Floats, expected: Floats, ratio: float | Floats, dispersion: Floats
) -> Floats:
    """How much likelier a block is at `ratio` times what was expected than at once that, in nats.

    Args:
        counted: messages.
        expected: messages, at the usual level.
        ratio: above 1: more than usual.
        dispersion: a, of the block.
    """
    e, a = np.maximum(expected, _TINY), np.maximum(dispersion, 1e-6)
    gain = np.log1p(a * e) - np.log1p(a * ratio * e)
    return np.asarray(counted * np.log(ratio) + (counted + 1.0 / a) * gain)


def tail_nats(counted: Floats, expected: Floats, dispersion: Floats) -> Floats:
    """-ln of a bound on the chance of a count so far from what was expected, on its side."""
    ratio = np.clip(counted / np.maximum(expected, _TINY), 1e-6, 1e6)
    return np.maximum(step_nats(counted, expected, ratio, dispersion), 0.0)
