"""Every fault that was missed, told wrongly or late, and every false incident, one a line."""

from __future__ import annotations

from collections.abc import Iterator

from bench.fleet.customers import Customer, customers_of
from bench.fleet.goals import Result
from bench.fleet.plan import DAY
from bench.fleet.score import Judged, Unexplained
from streamgauge.model.incident import Incident

_LATE = 2.0
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def listing(result: Result) -> Iterator[str]:
    """Lines of one run."""
    plan, score = result.plan, result.score
    customers = {one.name: one for one in customers_of(plan)}
    faults = "with faults" if plan.has_faults else "without a fault"
    yield f"# seed {plan.seed}, {plan.family.value}, {plan.customers} customers, {faults}"
    for each in score.judged:
        if each.fault.is_detectable and (what := _what_is_wrong(each)):
            yield f"{what}: {_fault_line(each, customers)}"
            yield from (f"    {_incident_line(one.first)}" for one in each.incidents)
    for one in score.false:
        yield f"FALSE{f' beside {one.beside}' if one.beside else ''}: {_false_line(one, customers)}"


def _what_is_wrong(each: Judged) -> str:
    if each.found is None:
        return "MISSED"
    wrong = []
    if not each.is_attributed:
        wrong.append("ATTRIBUTION")
    if (each.ratio or 0.0) > _LATE:
        wrong.append(f"LATE {each.ratio:.1f}x")
    if len(each.incidents) > 3:
        wrong.append(f"FANOUT {len(each.incidents)}")
    return " ".join(wrong)


def _fault_line(each: Judged, customers: dict[str, Customer]) -> str:
    fault = each.fault
    delay = "-" if each.delay_minutes is None else f"{each.delay_minutes:.0f}"
    who = f"c{fault.customer:03d}" if fault.customer is not None else "wide"
    return (
        f"{fault.kind.value} {fault.scopes[0].describe()} level={fault.level:g} "
        f"start={_at(fault.start)} lasts={fault.end - fault.start}min least="
        f"{fault.least_minutes:.0f}min delay={delay}min rate={fault.per_day:,.0f}/day "
        f"reason={fault.reason!r} suspect={'|'.join(fault.suspected)} {_about(customers.get(who))}"
    )


def _false_line(one: Unexplained, customers: dict[str, Customer]) -> str:
    incident = one.opened.first
    lasted = (incident.opened_at - incident.since) / 60.0
    return (
        f"{_incident_line(incident)} at={_at(one.opened.opened)} after={lasted:.0f}min "
        f"{_about(customers.get(incident.scope.tenant or ''))}"
    )


def _incident_line(incident: Incident) -> str:
    told = {name: value for name, value in incident.evidence.items() if name != "last_message_at"}
    return (
        f"{incident.kind.value} {incident.severity.value} [{incident.scope.describe()}] "
        f"{incident.suspected.value}: {incident.summary} {told}"
    )


def _about(customer: Customer | None) -> str:
    if customer is None:
        return ""
    noise = customer.noise
    errors = ",".join(f"{ratio:.4f}" for ratio in customer.error_ratio)
    return (
        f"| {customer.name} {customer.shape.value} {customer.region.name} "
        f"{customer.per_day:,.0f}/day weekend={customer.weekend_share:g} "
        f"sources={len(customer.sources)} integrations={len(customer.integrations)} "
        f"received={customer.has_received} clump={noise.minute:.2f} hourly={noise.hour:.2f} "
        f"daily={noise.daily:.2f} errors={errors} error_hourly={noise.error_hour:.2f} "
        f"batch={customer.batch}"
    )


def _at(minute: float) -> str:
    day, of_day = divmod(int(minute), DAY)
    return f"day {day} ({_DAYS[day % 7]}) {of_day // 60:02}:{of_day % 60:02}"
