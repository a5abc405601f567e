"""Holds what opened against what went wrong.

1. An incident is explained by a fault of a kind that can look like it, whose scope it shares, and
   which goes on or has ended a moment ago; by the one that it names best.
2. A fault is found if an incident of its own kind that it explains opened while it went on.
3. What no fault explains is false, whatever its severity.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bench.fleet.customers import Customer, Size
from bench.fleet.drive import Driven, Opened
from bench.fleet.made import Made
from bench.fleet.means import Nuisance
from bench.fleet.truth import Fault, FaultKind
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind

_VOLUME = {Kind.SILENCE, Kind.DROP, Kind.LOSS}
_EXPLAINS: dict[Kind, set[Kind]] = {
    Kind.SILENCE: {*_VOLUME, Kind.BACKLOG},
    Kind.BLIND: {Kind.BLIND, Kind.SILENCE},
    Kind.ERRORS: {Kind.ERRORS},
    Kind.DROP: _VOLUME,
    Kind.SURGE: {Kind.SURGE, Kind.DROP},
    Kind.LOSS: {*_VOLUME, Kind.SURGE},
    Kind.BACKLOG: {Kind.BACKLOG},
}
_GRACE_MINUTES = 60
"""What opens so soon after a fault has ended is still of it; …"""
_LEVEL_GRACE_MINUTES = 360
"""… of a level that is told by the hour, so long."""
_TICK_MINUTES = 2
_BRIEF_S = 900.0
_ALSO = {FaultKind.DOUBLES: Kind.SURGE, FaultKind.SILENT_INGEST: Kind.BLIND}
"""What may be told in its place: routers through which nothing comes are blind."""


@dataclass(slots=True)
class Judged:
    """A fault, and what became of it."""

    fault: Fault
    size: Size
    incidents: list[Opened] = field(default_factory=list)

    @property
    def found(self) -> Opened | None:
        """The first incident that told it while it went on."""
        return next((one for one in self.incidents if self._tells(one)), None)

    @property
    def delay_minutes(self) -> float | None:
        """From the last message before it, of errors from the first that could fail."""
        if self.found is None or self.fault.began is None:
            return None
        return self.found.opened - self.fault.began

    @property
    def ratio(self) -> float | None:
        """The delay by the least possible."""
        delay, least = self.delay_minutes, self.fault.least_minutes
        return None if delay is None or least is None else max(delay, 0.0) / least

    @property
    def is_attributed(self) -> bool:
        """Whether the incident that people see names who, and whose side it is on."""
        seen = [one for one in self.incidents if self._tells(one) and not _is_brief_part(one)]
        return bool(seen) and _is_named(self.fault, seen[0])

    def _tells(self, one: Opened) -> bool:
        kinds = {self.fault.kind.kind, _ALSO.get(self.fault.kind, self.fault.kind.kind)}
        return one.incident.kind in kinds and one.opened <= self.fault.end + _TICK_MINUTES


def _is_brief_part(one: Opened) -> bool:
    """A larger one took its place at once: it is the larger one that people see."""
    closed = one.incident.closed_at
    return one.is_part and closed is not None and closed - one.first.opened_at < _BRIEF_S


@dataclass(slots=True)
class Unexplained:
    """An incident without a fault."""

    opened: Opened
    size: Size | None
    beside: str
    """The nuisance at that time, and what is awkward about the customer; or nothing."""


@dataclass(slots=True)
class Score:
    """One run's."""

    judged: list[Judged]
    false: list[Unexplained]
    flow_count: int
    weeks: float
    late_weeks: float
    """Of these, those after three weeks were learned."""
    late_from: int

    def false_of(self, *kinds: Kind) -> list[Unexplained]:
        """False incidents of some kinds."""
        return [one for one in self.false if one.opened.incident.kind in kinds]


def score(run: Made, driven: Driven) -> Score:
    """Everything that is known of one run."""
    by_name = {customer.name: customer for customer in run.customers}
    judged = [Judged(fault, _size(fault)) for fault in run.truth.faults]
    false: list[Unexplained] = []
    for one in driven.opened:
        faults = [each for each in judged if _explains(each.fault, one, by_name)]
        if faults:
            min(faults, key=lambda each: _distance(each.fault, one)).incidents.append(one)
        else:
            tenant = one.incident.scope.tenant
            size = by_name[tenant].size if tenant in by_name else None
            false.append(Unexplained(one, size, _nuisance(run, one, by_name)))
    plan = run.plan
    late_from = 21 * 1440
    late = max(plan.minutes - max(late_from, plan.live_from), 0) / 10_080
    return Score(judged, false, run.telemetry.flow_count, plan.weeks, late, late_from)


def _size(fault: Fault) -> Size:
    return next(size for size in Size if fault.per_day <= size)


def _explains(fault: Fault, one: Opened, by_name: dict[str, Customer]) -> bool:
    grace = _LEVEL_GRACE_MINUTES if fault.kind.kind in {Kind.DROP, Kind.SURGE, Kind.LOSS} else (
        _GRACE_MINUTES
    )  # fmt: skip
    if not fault.start - 1 <= one.opened <= fault.end + grace:
        return False
    kind = one.incident.kind
    if kind not in _EXPLAINS[fault.kind.kind] and kind is not _ALSO.get(fault.kind):
        return False
    incident = one.first
    if fault.customer is None:
        customer = by_name.get(incident.scope.tenant or "")
        has_it = customer is None or fault.integration in {None, *customer.integrations}
        return has_it and any(_overlaps(scope, incident.scope) for scope in fault.scopes)
    name = f"c{fault.customer:03d}"
    return (incident.scope.tenant == name or name in incident.affected) and any(
        _overlaps(scope, incident.scope) for scope in fault.scopes
    )


def _overlaps(a: Scope, b: Scope) -> bool:
    return all(x is None or y is None or x == y for x, y in zip(a, b, strict=True))


def _distance(fault: Fault, one: Opened) -> tuple[int, int, float]:
    """The better a fault explains, the smaller."""
    same = max(
        sum(x == y for x, y in zip(scope, one.first.scope, strict=True)) for scope in fault.scopes
    )
    return (one.incident.kind is not fault.kind.kind, -same, one.opened - fault.start)


def _is_named(fault: Fault, one: Opened) -> bool:
    scopes = [scope._replace(pipeline=None) for scope in fault.scopes]
    is_scope = one.incident.scope._replace(pipeline=None) in scopes
    return is_scope and (not fault.suspected or one.incident.suspected in fault.suspected)


def _nuisance(run: Made, one: Opened, by_name: dict[str, Customer]) -> str:
    customer = by_name.get(one.incident.scope.tenant or "")
    found = Counter(
        each.what
        for each in run.nuisances
        if each.start <= one.opened <= each.end + 30 and _hits(each, customer)
    )
    if customer is not None and customer.batch:
        found["batch"] += 1
    if customer is not None and customer.noise.late_share:
        found["late"] += 1
    if customer is not None and customer.first_minute:
        found["new"] += 1
    if customer is not None and one.opened >= customer.last_minute:
        found["left"] += 1
    return "+".join(found)


def _hits(one: Nuisance, customer: Customer | None) -> bool:
    if customer is None:
        return True
    return one.router in {None, customer.router} and one.region in {None, customer.region.name}
