"""Evidence that a share of failures is no chance, where the messages of one hour fail together.

Usually the share of an hour is drawn anew around the usual one (beta, of the dispersion that was
learned), so an hour with ten times the failures may be nothing, however many messages it had; two
such hours are more. If something is wrong, the share is one of a few larger ones, give or take a
third. What an hour weighs is the ratio of both beta-binomial probabilities.

Source: beta-binomial, Griffiths, Biometrics 29 (1973); mixtures of CUSUMs, Lorden, Ann. Math.
Stat. 42 (1971); e-detectors, Shin, Ramdas & Rinaldo, NEJSDS 2 (2023).
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaln

from streamgauge.detect.arrays import Array, Floats, Ints

_TIMES = (3.0, 8.0)
_SHARES = (0.05, 0.2, 0.5, 0.97)
_SURE = 0.97
ALTERNATIVES = len(_TIMES) + len(_SHARES)
MIXED_NATS = float(np.log(ALTERNATIVES))
"""What it costs not to know which share it will be."""
_SPREAD = 0.1
"""Relative variance of the share while something is wrong."""
_RHO_LEAST, _RHO_MOST, _RHO_MOST_WRONG = 1e-6, 0.3, 0.05


class Shares:
    """The usual share and the larger ones of some groups."""

    def __init__(self, usual: Floats, dispersion: Floats) -> None:
        """`usual` [groups], and the relative variance [groups] of an hour's share."""
        p0 = np.clip(usual, 1e-6, 0.9)
        others = [np.minimum(p0 * times, _SURE) for times in _TIMES]
        others += [np.maximum(np.minimum(3.0 * p0, _SURE), share) for share in _SHARES]
        p1 = np.maximum(
            np.stack(others, axis=-1), (p0 + 0.5 * (1.0 - p0))[:, None] * (p0 > 0.4)[:, None]
        )
        self._a0, self._b0 = _beta(p0, np.clip(dispersion * p0 / (1.0 - p0), _RHO_LEAST, _RHO_MOST))
        self._a1, self._b1 = _beta(
            p1, np.clip(_SPREAD * p1 / (1.0 - p1), _RHO_LEAST, _RHO_MOST_WRONG)
        )
        self._norm = betaln(self._a0, self._b0)[:, None] - betaln(self._a1, self._b1)

    def nats(self, failed: Floats, total: Floats) -> Floats:
        """Log ratios [..., groups, alternatives] of failures among ends, each [..., groups]."""
        failed = np.maximum(failed, 0.0)
        good = np.maximum(total - failed, 0.0)
        usual = betaln(failed + self._a0, good + self._b0)[..., None]
        wrong = betaln(failed[..., None] + self._a1, good[..., None] + self._b1)
        return np.asarray(wrong - usual + self._norm)


def of_hours(
    shares: Shares, before: Floats, failed: Floats, total: Floats, last: int
) -> tuple[Floats, Ints]:
    """The best evidence of any beginning, over the last hour and the running one.

    Args:
        shares: of the groups.
        before: evidence [groups, alternatives] at the end of the hour before.
        failed: failures [120 minutes, groups].
        total: ends in the same shape.
        last: place of the running minute, 60 … 119.

    Returns: nats [groups, alternatives], and the minute in which it began, -1: in `before`.
    """
    level, onset = np.maximum(before, 0.0), np.full(before.shape, -1, np.int64)
    for first, end in ((0, 60), (60, last + 1)):
        starts = starts_of(first, end)
        lost = sums_from(failed[first:end], starts - first)
        nats = shares.nats(lost, sums_from(total[first:end], starts - first))
        nats[0] += level
        best = nats.argmax(axis=0)
        level = np.take_along_axis(nats, best[None], axis=0)[0]
        onset = np.where((best == 0) & (before > 0.0) & (onset < first), onset, starts[best])
        before = level = np.maximum(level, 0.0)
    return level, onset


def starts_of(first: int, end: int) -> Ints:
    """Minutes in which it may have begun: the newest one by one, older ones more coarsely."""
    fine = max(end - 10, first)
    return np.unique(np.concatenate([np.arange(first, fine, 5), np.arange(fine, end)]))


def sums_from(counts: Floats, starts: Ints) -> Floats:
    """Sums [starts, groups] from each start to the end."""
    return np.asarray(np.cumsum(counts[::-1], axis=0, dtype=np.float64)[::-1][starts])


def _beta(mean: Array, rho: Array) -> tuple[Array, Array]:
    size = 1.0 / rho - 1.0
    return mean * size, (1.0 - mean) * size
