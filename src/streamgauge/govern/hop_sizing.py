"""What single messages, followed hop by hop, take beside the sums: bytes kept, and which share.

The store keeps all hops for a while, then those of messages with trouble, and of the others as many
as the budget has room for (`store.thinning`, whose constants these are).
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0
HOUR_S = 3600.0
WHOLE_PART = 0.5
"""Of the budget that all hops of the last hours may take; more are thinned sooner."""
SETTLED_PART = 7 / 8
"""Of the budget that is used once it has settled."""


@dataclass(frozen=True, slots=True)
class Journeys:
    """How long hops are kept, and what they may take."""

    whole_s: float
    """All of them, after their hour."""
    kept_s: float
    """The rest."""
    budget_bytes: float


@dataclass(frozen=True, slots=True)
class HopSize:
    """Hops on disk, once they are as old as they get."""

    size_bytes: float
    kept_ratio: float
    """Of the messages without trouble: those whose journey is kept to the end. Troubles are taken
    to be few."""


def hop_size(hops_per_day: float, bytes_per_hop: float, journeys: Journeys) -> HopSize:
    """What so many hops a day take."""
    a_second = hops_per_day * bytes_per_hop / DAY_S
    whole_s = journeys.whole_s + HOUR_S
    whole = min(a_second * whole_s, WHOLE_PART * journeys.budget_bytes)
    wanted = a_second * max(journeys.kept_s - whole_s, 0.0)
    kept = min(wanted, SETTLED_PART * journeys.budget_bytes - whole)
    return HopSize(whole + kept, kept / wanted if wanted else 1.0)
