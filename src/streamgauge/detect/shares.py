"""How much all customers send, for shares of it."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.levels import Level, Levels


def sent_by_all(levels: Levels, rates: Floats) -> float:
    """Messages an hour of all customers, each by the channel that tells whether it speaks.

    The platform's own row counts one channel, which some customers may not have.

    Args:
        levels: which rows there are.
        rates: messages an hour [rows].
    """
    tenants = np.flatnonzero(levels.group_level[: levels.group_count] == Level.TENANT)
    return float(rates[levels.primary_rows[tenants]].sum())
