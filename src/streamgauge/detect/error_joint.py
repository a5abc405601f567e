"""Whether an integration fails, by all of its customers: what none of them proves alone.

1. If it fails, some share w of its customers is hit, each with a chance of its own, and their
   messages fail at one of the larger shares: a customer adds ln(1 - w + w·ratio), with its own
   usual share and spread, so that one who is well speaks against it, but not for long.
2. The best beginning of the last hour and the running one counts, less ln(number of shares).
3. Without the one who says most, the others must say enough: else it is that customer's trouble.

Source: mixtures over the affected part, Xie & Siegmund, Ann. Stat. 41 (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.error_evidence import MIXED_NATS, Shares, starts_of, sums_from

_HIT = (0.2, 0.9)
"""Shares of the customers that are hit."""
_MIXED_NATS = MIXED_NATS + float(np.log(len(_HIT)))
_OTHERS_NATS = 5.0
_BEARS_NATS = 3.0


@dataclass(frozen=True, slots=True)
class Joint:
    """What the customers of one integration say together."""

    nats: float
    began: int
    """Place of the minute in the window."""
    bearers: Ints
    """Places of the customers that look bad, the worst first."""
    is_of_several: bool
    """Whether it is not the trouble of one alone."""


def of_members(shares: Shares, failed: Floats, total: Floats, last: int) -> Joint:
    """The evidence of all customers of one integration.

    Args:
        shares: of the customers.
        failed: failures [120 minutes, customers].
        total: ends in the same shape.
        last: place of the running minute, 60 … 119.
    """
    recent, older = starts_of(60, last + 1), starts_of(0, 60)
    now = shares.nats(
        *(sums_from(counts[60 : last + 1], recent - 60) for counts in (failed, total))
    )
    before = shares.nats(*(sums_from(counts[:60], older) for counts in (failed, total)))
    ratios = np.concatenate([before + now[0], now])  # [starts, customers, shares]
    each = np.stack([np.logaddexp(np.log1p(-hit), np.log(hit) + ratios) for hit in _HIT])
    sums = each.sum(axis=2)
    best = np.unravel_index(int(sums.argmax()), sums.shape)
    hit, start, share = (int(place) for place in best)
    own = each[hit, start, :, share]
    bears = np.flatnonzero((own >= _BEARS_NATS) & failed.any(axis=0))
    rest = float(sums[best] - own.max(initial=0.0))
    return Joint(
        float(max(sums[best] - _MIXED_NATS, 0.0)),
        int(np.concatenate([older, recent])[start]),
        bears[np.argsort(-own[bears])],
        rest >= _OTHERS_NATS,
    )
