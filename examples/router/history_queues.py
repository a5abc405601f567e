"""The queues' part of a generated history: a router that keeps up, hence nearly empty queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from examples.router.fleet import VENDORS, Customer, daily_factor
from examples.router.lines import STAMP_BEFORE_END_NS, Identity, queue_lines
from examples.router.queues import Depth
from numpy.typing import NDArray

MEAN_WAIT_S = 0.012
"""Mean wait in the queue of a router that keeps up: half the workers' linger, and a little."""


class QueueHistory:
    """Depth of every integration's queue at each step's end; totals go on from call to call."""

    def __init__(self, fleet: Sequence[Customer], identity: Identity) -> None:
        self._identity = identity
        self._rates = {
            vendor.name: sum(one.messages_per_s for one in fleet if vendor.name in one.integrations)
            for vendor in VENDORS
        }
        self._totals = dict.fromkeys(self._rates, 0)

    def lines(self, rng: np.random.Generator, edges: NDArray[np.float64]) -> Iterator[str]:
        """The lines of these steps, a few a step: `edges` are epoch seconds, [n_steps + 1]."""
        load = daily_factor(edges[1:])
        depths = {name: list(self._depths(rng, name, edges, load)) for name in self._rates}
        for step, end_at in enumerate(edges[1:]):
            at_ns = round(end_at * 1e9) - STAMP_BEFORE_END_NS
            now = {name: column[step] for name, column in depths.items()}
            yield from queue_lines(now, self._identity, at_ns)

    def _depths(
        self,
        rng: np.random.Generator,
        name: str,
        edges: NDArray[np.float64],
        load: NDArray[np.float64],
    ) -> Iterator[Depth]:
        rate = self._rates[name] * load
        out = accumulate(rng.poisson(rate * np.diff(edges)).tolist(), initial=self._totals[name])
        next(out)
        backlogs = rng.poisson(rate * MEAN_WAIT_S / 10).tolist()
        ages = rng.uniform(0, 2 * MEAN_WAIT_S, len(backlogs)).tolist()
        in_flights = rng.poisson(rate * 0.1).tolist()
        for total, backlog, age_s, in_flight in zip(out, backlogs, ages, in_flights, strict=True):
            self._totals[name] = total
            oldest_age_s = age_s if backlog else 0.0
            yield Depth(backlog, oldest_age_s, total + backlog, total, 1, in_flight)
