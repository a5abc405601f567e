"""What the generator's own model says of what was counted: the least that any rule must wait for.

Minutes are negative binomial (1/r = `minute`) around a mean that each hour multiplies with a gamma
factor (1/r = `hour`), and failures binomial around a share that each hour multiplies likewise. The
factor is not known to anyone, so it is summed out over a grid, hour by hour.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, log_ndtr, logsumexp
from scipy.stats import gamma

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SURE_NATS = 13.8
"""One in a million."""
_GRID = 96


def silence_nats(means: Sequence[Floats], first_minute: int, minute: float, hour: float) -> Floats:
    """Evidence [minutes], growing, that nothing came from any of several ways in.

    Args:
        means: messages expected [minutes] of each; the hourly factor is theirs together.
        first_minute: of the run.
        minute: 1/r of each way's minutes.
        hour: 1/r of the hourly factor.
    """

    def log_of(g: Floats) -> Floats:
        return np.asarray(np.sum([_log_nothing(mean * g, minute) for mean in means], axis=0))

    return -_summed(log_of, len(means[0]), first_minute, hour)


def change_nats(
    counts: Floats, mean: Floats, factor: float, first_minute: int, minute: float, hour: float
) -> Floats:
    """Evidence [minutes] that `counts` come from `factor` times `mean` rather than from `mean`."""
    n = len(mean)
    changed = _summed(
        lambda g: _log_count(counts, mean * g * factor, minute), n, first_minute, hour
    )
    usual = _summed(lambda g: _log_count(counts, mean * g, minute), n, first_minute, hour)
    return changed - usual


def error_nats(
    failed: Floats, total: Floats, usual: float, faulty: float, first_minute: int, hour: float
) -> Floats:
    """Evidence [minutes] that the share `faulty` of `total` failed rather than `usual`."""
    well = total - failed

    def log_share(g: Floats) -> Floats:
        share = np.clip(usual * g, 1e-9, 0.95)
        return np.asarray(failed * np.log(share) + well * np.log1p(-share))

    at_fault = min(max(faulty, usual), 1.0 - 1e-9)
    changed = np.cumsum(failed * np.log(at_fault) + well * np.log1p(-at_fault))
    return np.asarray(changed - _summed(log_share, len(total), first_minute, hour))


def late_start_nats(minutes: Ints, due: Ints, jitter: float, size: float) -> Floats:
    """Evidence [minutes] that none of the starts `due` [starts], of `size` messages, has come."""
    late = (minutes[:, None] + 1.0 - due[None, :]) / max(jitter, 0.1)
    return np.asarray(-np.logaddexp(log_ndtr(-late), -size).sum(axis=1))


def _log_nothing(mean: Floats, minute: float) -> Floats:
    return np.asarray(-np.log1p(minute * mean) / minute if minute else -mean)


def _log_count(counts: Floats, mean: Floats, minute: float) -> Floats:
    """Log probability, without what does not depend on the mean."""
    mean = np.maximum(mean, 1e-12)
    if not minute:
        return np.asarray(counts * np.log(mean) - mean)
    r = 1.0 / minute
    of_counts = gammaln(counts + r) - gammaln(r)
    return np.asarray(of_counts + counts * np.log(mean) - (counts + r) * np.log(r + mean))


def _summed(log_of: Callable[[Floats], Floats], n: int, first_minute: int, hour: float) -> Floats:
    """Cumulative log probability [minutes], each hour's factor summed out."""
    if not hour:
        return np.cumsum(log_of(np.ones(1)))
    factors, weights = _factors(hour)
    by_minute = log_of(factors[:, None])  # [grid, minutes]
    hours = (first_minute + np.arange(n)) // 60
    begins = np.flatnonzero(np.diff(hours, prepend=hours[0] - 1))
    running = np.cumsum(by_minute, axis=1)
    before = np.concatenate([np.zeros((len(factors), 1)), running[:, begins[1:] - 1]], axis=1)
    lengths = np.diff(np.append(begins, n))
    within = running - np.repeat(before, lengths, axis=1)
    here = logsumexp(within + weights[:, None], axis=0)
    ends = np.append(begins[1:], n) - 1
    whole = np.concatenate([[0.0], np.cumsum(here[ends])[:-1]])
    return np.asarray(here + np.repeat(whole, lengths))


def _factors(hour: float) -> tuple[Floats, Floats]:
    """A grid of factors, and the log of how likely each is."""
    edges = np.geomspace(1e-7, 40.0, _GRID + 1)
    likely = np.diff(gamma.cdf(edges, 1.0 / hour, scale=hour))
    middles = np.sqrt(edges[1:] * edges[:-1])
    there = likely > 0.0
    return middles[there], np.log(likely[there])
