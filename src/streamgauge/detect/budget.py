"""How much evidence a page takes, from the false pages that people allow.

The budget is one of the whole fleet: so many false pages a week for every thousand flows. Every
look at a flow is a chance of being wrong. Evidence of S nats is one of e^S to 1 against chance, so
with n flows of c chances a week each, and a allowed, a finding takes ln(n·c/a) nats: the expected
number of false ones is then at most a, whatever the flows have to do with each other.

A shared cause hurts many flows at once. When k findings already hold, one more takes ln(k) nats
less, so that the share of false ones among those told stays what it was (the e-value form of
Benjamini-Hochberg); what is told is folded by cause.

The budget is one for all, and each kind of finding is held to the whole of it (ADR 15).

Source: Bonferroni over expected false alarms, Gordon et al., Ann. Appl. Stat. 1 (2007); e-BH, Wang
& Ramdas, JRSS B 84 (2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Floats

FALSE_PAGES_PER_1000_FLOWS = 0.3
"""A week, unless people say otherwise."""
FALSE_PAGES_AT_LEAST = 0.23
"""A week: one a month for a small platform."""
_FLOWS_AT_LEAST = 20
_MOST_OFF = 3.0
"""Nats: many findings at once make the rest no more than 20 times as likely to be believed."""


@dataclass(frozen=True, slots=True)
class FalsePages:
    """What people allow of each kind of finding."""

    per_1000_flows: float = FALSE_PAGES_PER_1000_FLOWS
    """A week."""
    at_least: float = FALSE_PAGES_AT_LEAST
    """A week, of the whole platform."""

    @classmethod
    def of_platform(cls, per_1000_flows: float) -> FalsePages:
        """The budget that people set; the least of a small platform goes with it."""
        times = per_1000_flows / FALSE_PAGES_PER_1000_FLOWS
        return cls(per_1000_flows, FALSE_PAGES_AT_LEAST * times)

    def allowed(self, flows: int) -> float:
        """False pages a week over `flows` flows."""
        return max(self.at_least, self.per_1000_flows * flows / 1000.0)

    def bar(self, chances: Floats, flows: int, holding: int = 0, lowest: float = 0.0) -> Floats:
        """The evidence that a finding takes, in nats.

        Args:
            chances: looks a week at each flow that could be wrong independently of each other.
            flows: how many flows are watched.
            holding: findings of the kind that hold already.
            lowest: never less than this.
        """
        looks = np.maximum(chances, 1.0) * max(flows, _FLOWS_AT_LEAST)
        off = min(np.log(max(holding, 1)), _MOST_OFF)
        return np.asarray(np.maximum(np.log(looks / self.allowed(flows)) - off, lowest))
