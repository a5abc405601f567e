"""How soon any rule could have known of each fault: the generator's own model, who knows it all."""

from __future__ import annotations

import numpy as np

from bench.fleet.customers import Customer
from bench.fleet.evidence import (
    SURE_NATS,
    change_nats,
    error_nats,
    late_start_nats,
    silence_nats,
)
from bench.fleet.means import Floats, Means
from bench.fleet.messages import Sent
from bench.fleet.truth import Fault, FaultKind

_BACKLOG_MINUTES = 5.0
_BLIND_MINUTES = 1.0
_SILENT_ONE = (
    FaultKind.SILENT_CUSTOMER,
    FaultKind.SILENT_SOURCE,
    FaultKind.SILENT_DELIVERY,
)


class Least:
    """Adds up what every customer tells of each fault."""

    def __init__(self) -> None:
        self._nats: dict[int, Floats] = {}

    def add(self, customer: Customer, means: Means, what: Sent, faults: list[Fault]) -> None:
        """Take the evidence of one customer for all faults that they feel."""
        for fault in faults:
            nats = self._of(fault, customer, means, what)
            if nats is not None and len(nats):
                known = self._nats.get(fault.number)
                self._nats[fault.number] = nats if known is None else known + nats

    def settle(self, faults: list[Fault]) -> None:
        """Write down when each fault could be known."""
        for fault in faults:
            if fault.began is None:
                fault.began = float(fault.start)
            if fault.kind in {FaultKind.BACKLOG, FaultKind.BLIND}:
                is_blind = fault.kind is FaultKind.BLIND
                fault.least_minutes = _BLIND_MINUTES if is_blind else _BACKLOG_MINUTES
                continue
            nats = self._nats.get(fault.number, np.zeros(0))
            sure = np.flatnonzero(nats >= SURE_NATS)
            # Nats count from the fault's start or from the last message before it.
            late = int(max(fault.began - fault.start, 0.0)) if len(sure) else 0
            fault.least_minutes = max(float(sure[0] + 1 - late), 1.0) if len(sure) else None

    def _of(self, fault: Fault, customer: Customer, means: Means, what: Sent) -> Floats | None:
        name = fault.kind.value.partition("_")[0]
        if fault.kind in _SILENT_ONE:
            return _silence(fault, customer, means, what)
        if name == "silent":
            shares = _shares(fault, customer)
            noise, part = customer.noise, slice(fault.start, fault.end)
            ways = [means.base[part] * share for share in shares]
            return silence_nats(ways, fault.start, noise.minute, noise.hour)
        if name == "errors":
            return _errors(fault, customer, what)
        if name in {"drop", "surge"}:
            return _change(fault, customer, means, what)
        if name in {"loss", "doubles"}:
            passed = np.sum(what.received, axis=0)[fault.start : fault.end]
            return np.asarray(np.cumsum(passed) * fault.level)
        return None


def _shares(fault: Fault, customer: Customer) -> list[float]:
    """Of the customer's messages, by source: those that should reach what is silent."""
    reach = 1.0
    if fault.integration is not None:
        reach -= customer.filtered[customer.integrations.index(fault.integration)]
    return [
        share * reach
        for source, share in zip(customer.sources, customer.source_shares, strict=True)
        if fault.source in {None, source}
    ]


def _silence(fault: Fault, customer: Customer, means: Means, what: Sent) -> Floats:
    """Since the last message before it."""
    heard = np.sum(what.received, axis=0)
    if fault.source is not None:
        heard = what.received[customer.sources.index(fault.source)]
    if fault.integration is not None:
        place = customer.integrations.index(fault.integration)
        heard = what.delivered[place] + what.failed[place]
    before = np.flatnonzero(heard[: fault.start])
    began = int(before[-1]) + 1 if len(before) else fault.start
    fault.began = float(began)
    shares = _shares(fault, customer)
    noise = customer.noise
    base = means.base[began : fault.end]
    if customer.batch is None:
        ways = [base * share for share in shares]
        return silence_nats(ways, began, noise.minute, noise.hour)
    return _batch_silence(customer, means, began, fault.end, shares)


def _batch_silence(
    customer: Customer, means: Means, began: int, end: int, shares: list[float]
) -> Floats:
    """What was left of the running batch, then each start that is late."""
    assert customer.batch is not None
    noise, batch = customer.noise, customer.batch
    minutes = np.arange(began, end)
    running = means.begun[means.begun < began]
    left = int(running[-1]) + batch.length_minutes if len(running) else began
    ways = [np.where(minutes < left, means.base[began:end], 0.0) * share for share in shares]
    due = means.starts[(means.begun >= began) & (means.starts < end)]
    day = customer.per_day * batch.every_minutes / 1440.0 * sum(shares)
    late = late_start_nats(minutes, due, batch.jitter_minutes, day)
    return np.asarray(silence_nats(ways, began, noise.minute, noise.hour) + late)


def _errors(fault: Fault, customer: Customer, what: Sent) -> Floats:
    """Of each integration that fails, from the fault's start."""
    total = np.zeros(fault.end - fault.start)
    part = slice(fault.start, fault.end)
    for place, integration in enumerate(customer.integrations):
        if fault.integration in {None, integration}:
            failed = what.failed[place][part].astype(float)
            tried = failed + what.delivered[place][part].astype(float)
            usual = customer.error_ratio[place]
            total += error_nats(
                failed, tried, usual, fault.level, fault.start, customer.noise.error_hour
            )
    if not fault.is_wide:
        some = np.flatnonzero(np.sum(what.received, axis=0)[part])
        fault.began = float(fault.start + (some[0] if len(some) else 0))
    return total


def _change(fault: Fault, customer: Customer, means: Means, what: Sent) -> Floats:
    """A level that wanders from day to day is not known to anyone: it is a part of the hour's."""
    noise, part = customer.noise, slice(fault.start, fault.end)
    counts = np.sum(what.received, axis=0)[part].astype(float)
    together = float(np.sum(np.square(customer.source_shares)))
    return change_nats(
        counts, means.base[part], fault.level, fault.start, noise.minute * together,
        noise.hour + noise.daily**2,
    )  # fmt: skip
