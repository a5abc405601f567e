"""Draws what goes wrong: each fault long enough to be known, and alone where it happens."""

from __future__ import annotations

import numpy as np

from bench.fleet.customers import INTEGRATIONS, Customer
from bench.fleet.means import Means
from bench.fleet.plan import DAY, Plan
from bench.fleet.truth import Fault, FaultKind, Truth
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Suspected

_GAP_DAYS = (0.7, 4.0)
"""Least, and mean of what is added, between two faults of one customer."""
_LEAST_NATS = 14.0
_APART_MINUTES = 90
_OWN = (Suspected.CUSTOMER,)
_VENDOR = (Suspected.INTEGRATION,)

WEIGHTS: dict[FaultKind, float] = {
    FaultKind.SILENT_CUSTOMER: 3.0,
    FaultKind.SILENT_SOURCE: 1.5,
    FaultKind.SILENT_DELIVERY: 2.0,
    FaultKind.ERRORS_DELIVERY: 4.0,
    FaultKind.ERRORS_CUSTOMER: 1.0,
    FaultKind.ERRORS_REASON: 1.0,
    FaultKind.DROP: 2.0,
    FaultKind.SURGE: 0.7,
    FaultKind.LOSS: 1.0,
    FaultKind.DOUBLES: 0.5,
}
"""How often each happens to a customer."""
WIDE_COUNTS: dict[FaultKind, int] = {
    FaultKind.SILENT_INTEGRATION: 4,
    FaultKind.SILENT_INGEST: 2,
    FaultKind.BLIND: 2,
    FaultKind.ERRORS_INTEGRATION: 8,
    FaultKind.BACKLOG: 4,
}
"""Of three weeks."""
QUEUED = INTEGRATIONS[:4]
"""Integrations with a queue before them."""


def faults_of(plan: Plan, customers: list[Customer], means: list[Means]) -> Truth:
    """The truth of a run; empty where it has no faults."""
    if not plan.has_faults:
        return Truth()
    wide = _wide_faults(plan, customers)
    busy = [(fault.start - 60, fault.end + 90) for fault in wide]
    own = [
        fault
        for customer, mean in zip(customers, means, strict=True)
        for fault in _of_customer(plan, customer, mean, busy)
    ]
    faults = sorted(wide + _apart(own), key=lambda fault: fault.start)
    for number, fault in enumerate(faults):
        fault.number = number
    return Truth(faults)


def _apart(own: list[Fault]) -> list[Fault]:
    """Without those that begin beside a like one: two customers of a vendor are its own trouble."""
    kept: list[Fault] = []
    newest: dict[tuple[str, int | None, str | None], int] = {}
    for fault in sorted(own, key=lambda fault: fault.start):
        like = (fault.kind.kind.value, fault.integration, fault.source)
        if fault.start - newest.get(like, -_APART_MINUTES) >= _APART_MINUTES:
            kept.append(fault)
            newest[like] = fault.start
    return kept


def _is_wanted(plan: Plan, kind: FaultKind) -> bool:
    return not plan.only or any(kind.value.startswith(name) for name in plan.only)


def _wide_faults(plan: Plan, customers: list[Customer]) -> list[Fault]:
    rng = plan.random(4)
    days = plan.days - plan.faults_from / DAY
    kinds = [
        kind
        for kind, count in WIDE_COUNTS.items()
        if _is_wanted(plan, kind)
        for _ in range(max(1, round(count * days / 21)))
    ]
    rng.shuffle(kinds)
    slots = np.linspace(plan.faults_from, plan.minutes - 180, len(kinds) + 1)[:-1]
    room = (slots[1] - slots[0]) if len(slots) > 1 else 600.0
    popular = [
        number
        for number in range(len(INTEGRATIONS))
        if sum(number in customer.integrations for customer in customers) >= 5
    ]
    found = []
    for kind, slot in zip(kinds, slots, strict=True):
        start = int(slot + rng.uniform(0.1, 0.7) * max(room - 120, 60))
        fault = _wide_fault(kind, start, rng, popular)
        fault.per_day = sum(
            customer.per_day
            for customer in customers
            if fault.integration in {None, *customer.integrations}
        )
        found.append(fault)
    return found


def _wide_fault(kind: FaultKind, start: int, rng: np.random.Generator, popular: list[int]) -> Fault:
    end = start + int(rng.integers(20, 61))
    if kind in {FaultKind.SILENT_INGEST, FaultKind.BLIND}:
        is_blind = kind is FaultKind.BLIND
        suspected = Suspected.COLLECTOR if is_blind else Suspected.PLATFORM
        return Fault(0, kind, start, start + 15, suspected=(suspected,), level=0.0)
    if kind is FaultKind.BACKLOG:
        name = int(rng.integers(len(QUEUED)))
        both = (Suspected.INTEGRATION, Suspected.PLATFORM, Suspected.UNKNOWN)
        scopes = (PLATFORM, Scope(integration=INTEGRATIONS[name]))
        return Fault(0, kind, start, end, integration=name, suspected=both, scopes=scopes)
    name = int(rng.choice(popular)) if popular else 0
    level = float(rng.choice([0.05, 0.2, 0.6, 1.0])) if kind is not _SILENT_ALL else 0.0
    return Fault(
        0, kind, start, end, integration=name, level=level, reason="503 unavailable",
        suspected=_VENDOR, scopes=(Scope(integration=INTEGRATIONS[name]),),
    )  # fmt: skip


_SILENT_ALL = FaultKind.SILENT_INTEGRATION


def _of_customer(
    plan: Plan, customer: Customer, means: Means, busy: list[tuple[int, int]]
) -> list[Fault]:
    rng = plan.random(5, customer.number)
    kinds = [kind for kind in WEIGHTS if _is_wanted(plan, kind) and _is_possible(kind, customer)]
    found: list[Fault] = []
    ready = max(plan.faults_from, customer.first_minute + 8 * DAY if customer.first_minute else 0)
    at = ready + rng.uniform(0.0, 3.0) * DAY
    until = min(plan.minutes, customer.last_minute - DAY // 2)
    weights = np.array([WEIGHTS[kind] for kind in kinds])
    while kinds and at < until - 60:
        kind = FaultKind(rng.choice(kinds, p=weights / weights.sum()))
        start = _free(int(at), customer, busy)
        fault = _drawn(kind, customer, means, start, until, rng)
        if fault is not None:
            found.append(fault)
            at = fault.end
        at += (_GAP_DAYS[0] + rng.exponential(_GAP_DAYS[1])) * DAY
    if customer.last_minute < plan.minutes and not customer.is_leaving_told:
        silent = FaultKind.SILENT_CUSTOMER
        if _is_wanted(plan, silent):
            found.append(_fault(silent, customer, customer.last_minute, plan.minutes, rng))
    return found


def _is_possible(kind: FaultKind, customer: Customer) -> bool:
    """Whether it can be told from others: a silent only source is a silent customer."""
    if kind is FaultKind.SILENT_SOURCE:
        return len(customer.sources) > 1
    if kind is FaultKind.SILENT_DELIVERY:
        return customer.has_received or len(customer.integrations) > 1
    if kind is FaultKind.ERRORS_CUSTOMER:
        return len(customer.integrations) > 1
    if kind in {FaultKind.LOSS, FaultKind.DOUBLES}:
        return customer.has_received and customer.per_day > 100
    if kind in {FaultKind.DROP, FaultKind.SURGE}:
        return customer.per_day > 100
    return True


def _free(start: int, customer: Customer, busy: list[tuple[int, int]]) -> int:
    """Not beside a fault that hits everybody, for those who would feel it."""
    if customer.per_day < 200:
        return start
    for first, last in sorted(busy):
        if first - 120 <= start < last:
            start = last
    return start


def _drawn(
    kind: FaultKind,
    customer: Customer,
    means: Means,
    start: int,
    until: int,
    rng: np.random.Generator,
) -> Fault | None:
    """Most last 2.5 to 8 times as long as it takes to know; a tenth end before, a tenth soon."""
    fault = _fault(kind, customer, start, until, rng)
    needed = _needed_minutes(fault, customer, means, start)
    times = float(rng.choice([rng.uniform(0.2, 0.9), rng.uniform(1.2, 2.5), rng.uniform(2.5, 8.0)],
                             p=[0.1, 0.1, 0.8]))  # fmt: skip
    shortest = 360 if kind in {FaultKind.DROP, FaultKind.SURGE} else 15
    if not np.isfinite(needed):
        return None
    fault.end = start + int(max(min(needed * times, 14 * DAY), shortest))
    if fault.end > until:
        fault.end = until
    return fault


def _needed_minutes(fault: Fault, customer: Customer, means: Means, start: int) -> float:
    """About how long until anybody could know; the truth is reckoned later from what was sent."""
    noise, share = customer.noise, 1.0
    if fault.source is not None:
        share = customer.source_shares[customer.sources.index(fault.source)]
    mean = means.base[start:]
    hourly = np.add.reduceat(mean, np.arange(0, len(mean), 60)) * share
    name = fault.kind.value.partition("_")[0]
    if name in {"drop", "surge"}:
        # Kullback-Leibler, of gamma factors where there is much, of Poisson where there is little.
        spread = noise.hour + noise.daily**2 + noise.minute / 60.0 + 1e-6
        gain = (0.19 if name == "drop" else 0.43) / (spread + 1.0 / np.maximum(hourly, 1e-9))
    else:
        r = 1.0 / max(noise.hour, 1e-3)
        gain = r * np.log1p(hourly * _nats_each(fault, customer) / r)
    evidence = np.cumsum(gain)
    place = int(np.searchsorted(evidence, _LEAST_NATS))
    if place >= len(evidence):
        return np.inf
    if place > 0:
        return 60.0 * (place + 1)
    return float(max(60.0 * min(_LEAST_NATS / max(evidence[0], 1e-9), 1.0), 3.0))


def _nats_each(fault: Fault, customer: Customer) -> float:
    """What one message adds, about."""
    name = fault.kind.value.partition("_")[0]
    if name == "errors":
        return _nats_a_message(fault.level, max(customer.error_ratio))
    return {"silent": 1.0, "loss": fault.level, "doubles": 0.3}[name]


def _nats_a_message(faulty: float, usual: float) -> float:
    p, q = min(max(faulty, usual), 1.0 - 1e-9), usual
    return float(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))


def _fault(
    kind: FaultKind, customer: Customer, start: int, end: int, rng: np.random.Generator
) -> Fault:
    name = customer.name
    integration = int(rng.choice(customer.integrations))
    delivery = Scope(name, None, INTEGRATIONS[integration])
    fault = Fault(0, kind, start, end, customer.number, per_day=customer.per_day,
                  scopes=(Scope(name),), suspected=_OWN)  # fmt: skip
    if kind is FaultKind.SILENT_SOURCE:
        fault.source = str(rng.choice(customer.sources))
        fault.scopes = (Scope(name, fault.source),)
        place = customer.sources.index(fault.source)
        fault.per_day *= customer.source_shares[place]
    if kind in {FaultKind.SILENT_CUSTOMER, FaultKind.SILENT_SOURCE, FaultKind.SILENT_DELIVERY}:
        fault.level = 0.0
    if kind in _DELIVERIES:
        fault.integration, fault.scopes = integration, (delivery,)
        fault.suspected = (Suspected.INTEGRATION, Suspected.PLATFORM)
    if kind in {FaultKind.ERRORS_DELIVERY, FaultKind.ERRORS_CUSTOMER}:
        fault.level = float(rng.choice([0.05, 0.2, 0.5, 1.0], p=[0.2, 0.25, 0.25, 0.3]))
        usual = max(customer.error_ratio)
        fault.level = max(fault.level, min(4.0 * usual, 1.0))
        is_own = kind is FaultKind.ERRORS_CUSTOMER or rng.random() < 0.4
        fault.reason = "400 bad request" if is_own else "504 gateway timeout"
        fault.suspected = _OWN if is_own else _VENDOR
    if kind is FaultKind.ERRORS_REASON:
        fault.level, fault.reason = 0.03, "schema version 7 not supported"
        fault.level = max(fault.level, 4.0 * max(customer.error_ratio))
        fault.suspected = (Suspected.CUSTOMER, Suspected.INTEGRATION)
    if kind is FaultKind.DROP:
        fault.level = 0.5
    if kind is FaultKind.SURGE:
        fault.level = 3.0
    if kind in {FaultKind.LOSS, FaultKind.DOUBLES}:
        fault.level = float(rng.choice([0.1, 0.3, 0.8]))
        fault.suspected = (Suspected.PLATFORM, Suspected.INTEGRATION)
    if len(customer.integrations) == 1 and not kind.value.startswith("silent"):
        fault.scopes = (*fault.scopes, delivery, Scope(name))
    return fault


_DELIVERIES = {
    FaultKind.SILENT_DELIVERY,
    FaultKind.ERRORS_DELIVERY,
    FaultKind.ERRORS_REASON,
    FaultKind.LOSS,
    FaultKind.DOUBLES,
}
