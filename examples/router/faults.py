"""The script of faults: who falls silent, which vendor fails for whom, from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from examples.router.fleet import Customer
from examples.router.vendors import VendorFault

MODEST_PER_S = 4.0
"""Size of the customer that falls silent: nobody would see it in the platform's sum."""
AFFECTED_PER_S = (2.0, 12.0)
"""Sizes of the customers for whom the integration fails."""
AFFECTED_COUNT = 3
FAILING = "braze"


@dataclass(frozen=True, slots=True)
class Silence:
    """A customer sends nothing between two instants, seconds after the load's start."""

    tenant: str
    from_s: float
    to_s: float

    def sending_s(self, start_s: float, end_s: float) -> float:
        """Seconds between `start_s` and `end_s` outside the silence."""
        return (end_s - start_s) - max(0.0, min(end_s, self.to_s) - max(start_s, self.from_s))


@dataclass(frozen=True, slots=True)
class Outage:
    """A vendor is at fault between two instants, seconds after the load's start."""

    fault: VendorFault
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Script:
    """Everything that goes wrong."""

    silences: tuple[Silence, ...] = ()
    outages: tuple[Outage, ...] = field(default_factory=tuple)

    def vendor_faults(self, at_s: float) -> tuple[VendorFault, ...]:
        """What is wrong with the vendors at that second."""
        return tuple(one.fault for one in self.outages if one.from_s <= at_s < one.to_s)

    def sending_s(self, tenant: str, start_s: float, end_s: float) -> float:
        """Seconds between `start_s` and `end_s` in which the customer sends."""
        mine = [one for one in self.silences if one.tenant == tenant]
        return mine[0].sending_s(start_s, end_s) if mine else end_s - start_s


def demo_script(
    fleet: Sequence[Customer],
    silence_from_s: float,
    silence_s: float,
    outage_from_s: float,
    outage_s: float,
) -> Script:
    """One customer of modest size falls silent; one integration fails for three others."""
    affected = tuple(
        one.name
        for one in fleet
        if FAILING in one.integrations
        and AFFECTED_PER_S[0] <= one.messages_per_s <= AFFECTED_PER_S[1]
    )[:AFFECTED_COUNT]
    others = [one for one in fleet if FAILING not in one.integrations]
    silent = min(others, key=lambda one: abs(one.messages_per_s - MODEST_PER_S))
    return Script(
        (Silence(silent.name, silence_from_s, silence_from_s + silence_s),),
        (
            Outage(
                VendorFault(FAILING, "status", affected), outage_from_s, outage_from_s + outage_s
            ),
        ),
    )
