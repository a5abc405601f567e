"""Counts and stamps one customer's messages, with every fault that they feel.

A message that passes `received` at a source is delivered to each integration, unless a filter takes
it out or it fails: counts of all stages are of the same messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.fleet.customers import INTEGRATIONS, Customer
from bench.fleet.means import Ints, Means, Nuisance
from bench.fleet.plan import Plan
from bench.fleet.truth import Fault, FaultKind
from streamgauge.model.flow import Flow
from streamgauge.model.words import Outcome

Floats = NDArray[np.float64]
REASONS = (("timeout", "429 rate limited"), ("503 unavailable", "connection reset"),
           ("400 bad request", "timeout"))  # fmt: skip
"""Usual ones; each customer and integration has one of these pairs."""
_PIPELINE = "main"
_TRANSIT = 0.03
"""Share of messages delivered in the minute after that in which they were received."""
_DIP = 0.3


@dataclass(frozen=True, slots=True)
class Series:
    """What was counted of one flow, outcome and reason."""

    flow: Flow
    outcome: str
    reason: str
    minutes: Ints
    counts: Ints


@dataclass(frozen=True, slots=True)
class Sent:
    """All that one customer sent."""

    series: list[Series]
    received: list[Ints]
    """Counts [minutes] of each source."""
    delivered: list[Ints]
    """Counts [minutes] of each integration: what did not fail."""
    failed: list[Ints]


def sent(
    plan: Plan,
    customer: Customer,
    means: Means,
    nuisances: Iterable[Nuisance],
    faults: list[Fault],
) -> Sent:
    """One customer's messages over the whole run."""
    rng = plan.random(6, customer.number)
    level = _inbound_level(plan, customer, nuisances, faults)
    mean = means.base * level * _hourly(plan.minutes, customer.noise.hour, rng)
    received = []
    for source, share in zip(customer.sources, customer.source_shares, strict=True):
        counts = _counts(mean * share, customer.noise.minute, rng)
        for fault in faults:
            if fault.kind is FaultKind.SILENT_SOURCE and fault.source == source:
                counts[fault.start : fault.end] = 0
        received.append(counts)
    series = [
        _series(Flow(customer.name, source, "", _PIPELINE, "received"), Outcome.OK, "", counts)
        for source, counts in zip(customer.sources, received, strict=True)
        if customer.has_received
    ]
    delivered, failed = [], []
    for place, integration in enumerate(customer.integrations):
        mine = [fault for fault in faults if fault.integration in {None, integration}]
        ratio = _error_ratio(plan, customer, place, rng)
        ends = [_Ends(customer, place, counts, ratio, mine, rng) for counts in received]
        delivered.append(np.sum([end.ok for end in ends], axis=0))
        failed.append(np.sum([end.failed + sum(end.faulty.values()) for end in ends], axis=0))
        for source, end in zip(customer.sources, ends, strict=True):
            flow = Flow(customer.name, source, INTEGRATIONS[integration], _PIPELINE, "delivered")
            series += end.series(flow, REASONS[(customer.number + integration) % len(REASONS)])
    return Sent([one for one in series if len(one.minutes)], received, delivered, failed)


def _series(flow: Flow, outcome: Outcome, reason: str, counts: Ints) -> Series:
    minutes = np.flatnonzero(counts)
    return Series(flow, outcome.value, reason, minutes, counts[minutes])


def _inbound_level(
    plan: Plan, customer: Customer, nuisances: Iterable[Nuisance], faults: list[Fault]
) -> Floats:
    """The factor [minutes] on everything that a customer sends."""
    level = np.ones(plan.minutes)
    for one in nuisances:
        if one.what == "restart" and one.router == customer.router:
            level[one.start : one.end] = 0.0
        elif one.what == "deploy":
            level[one.start : one.end] *= _DIP
    for fault in faults:
        if fault.kind in _INBOUND:
            level[fault.start : fault.end] *= fault.level
    level[customer.last_minute :] = 0.0
    return level


_INBOUND = {
    FaultKind.SILENT_CUSTOMER,
    FaultKind.SILENT_INGEST,
    FaultKind.BLIND,
    FaultKind.DROP,
    FaultKind.SURGE,
}


def _hourly(minutes: int, dispersion: float, rng: np.random.Generator) -> Floats:
    """A gamma factor of mean 1, shared by the minutes of an hour."""
    if not dispersion:
        return np.ones(minutes)
    factors = rng.gamma(1.0 / dispersion, dispersion, minutes // 60 + 1)
    return np.asarray(np.repeat(factors, 60)[:minutes])


def _counts(mean: Floats, dispersion: float, rng: np.random.Generator) -> Ints:
    if dispersion:
        mean = mean * rng.gamma(1.0 / dispersion, dispersion, len(mean))
    return np.asarray(rng.poisson(mean), np.int64)


def _error_ratio(plan: Plan, customer: Customer, place: int, rng: np.random.Generator) -> Floats:
    factor = _hourly(plan.minutes, customer.noise.error_hour, rng)
    return np.minimum(customer.error_ratio[place] * factor, 0.95)


class _Ends:
    """What became of the messages of one source at one integration; arrays are [minutes]."""

    def __init__(
        self,
        customer: Customer,
        place: int,
        received: Ints,
        ratio: Floats,
        faults: list[Fault],
        rng: np.random.Generator,
    ) -> None:
        arrived = received
        if customer.has_received:
            waits = rng.binomial(received, _TRANSIT)
            arrived = received - waits
            arrived[1:] += waits[:-1]
        filtered = customer.filtered[place]
        self.filtered = rng.binomial(arrived, filtered) if filtered else np.zeros_like(arrived)
        tried = arrived - self.filtered
        self.failed = rng.binomial(tried, ratio)
        self.faulty: dict[str, Ints] = {}
        self.ok = tried - self.failed
        self._others: Ints = rng.binomial(self.failed, 0.3)
        for fault in faults:
            self._feel(fault, ratio, rng)

    def _feel(self, fault: Fault, ratio: Floats, rng: np.random.Generator) -> None:
        part = slice(fault.start, fault.end)
        if fault.kind in {FaultKind.SILENT_DELIVERY, FaultKind.SILENT_INTEGRATION}:
            for counts in (self.ok, self.failed, self.filtered, self._others):
                counts[part] = 0
        elif fault.kind.value.startswith("errors"):
            extra = np.clip((fault.level - ratio[part]) / (1.0 - ratio[part]), 0.0, 1.0)
            lost = rng.binomial(self.ok[part], extra)
            self.ok[part] -= lost
            self.faulty.setdefault(fault.reason, np.zeros_like(self.ok))[part] += lost
        elif fault.kind is FaultKind.LOSS:
            self.ok[part] -= rng.binomial(self.ok[part], fault.level)
        elif fault.kind is FaultKind.DOUBLES:
            self.ok[part] += rng.binomial(self.ok[part], fault.level)

    def series(self, flow: Flow, reasons: tuple[str, str]) -> Iterable[Series]:
        """Of a flow, with its two usual reasons."""
        yield _series(flow, Outcome.OK, "", self.ok)
        yield _series(flow, Outcome.FILTERED, "", self.filtered)
        yield _series(flow, Outcome.ERROR, reasons[0], self.failed - self._others)
        yield _series(flow, Outcome.ERROR, reasons[1], self._others)
        for reason, counts in self.faulty.items():
            yield _series(flow, Outcome.ERROR, reason, counts)
