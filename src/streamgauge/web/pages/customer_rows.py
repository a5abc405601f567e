"""Customers ordered by trouble and not by size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.incident import Incident
from streamgauge.model.views import FlowRow
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.health import hides_messages, is_all_blind, is_hidden, worst_of
from streamgauge.web.pages.windows import is_flowing
from streamgauge.web.words import Sign

MAX_CUSTOMERS = 10_000
"""Looked at to find those in trouble."""
LAST_CLASS = 10
RANK = {Health.DOWN: 0, Health.DEGRADED: 1, Health.UNKNOWN: 2, Health.OK: 3}


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """One line of the table of customers."""

    tenant: str
    sign: Sign
    why: str
    """The summary of its worst open incident; empty if there is none."""
    incident_id: str
    flow: FlowRow
    rank: tuple[int, str, int, str]


def rows_by_trouble(
    flows: Sequence[FlowRow],
    incidents: Sequence[Incident],
    now_s: float,
    said: Mapping[str, ExpectedFlow] = MappingProxyType({}),
) -> list[CustomerRow]:
    """One row a customer, the one in most trouble first.

    1. Down, degraded, unknown, then well; within one health the gravest incident first.
    2. Then the highest error share, so that a small customer stands before a big one; shares
       within a factor of two count as equal, so that rows do not change places at every look.

    Args:
        flows: one a customer.
        incidents: the open ones.
        now_s: epoch seconds.
        said: by customer, what was said of all its flows.
    """
    theirs = by_tenant(incidents)
    is_blind = any(is_all_blind(incident) for incident in incidents)
    rows = [row_of(flow, theirs.get(flow.labels["tenant"], ()), is_blind, now_s) for flow in flows]
    rows = [_as_expected(row, said.get(row.tenant), now_s) for row in rows]
    return sorted(rows, key=lambda row: row.rank)


def _as_expected(row: CustomerRow, said: ExpectedFlow | None, now_s: float) -> CustomerRow:
    """One that is paused or retired is that, where nothing is open about it."""
    state = said.state(row.flow.last_seen_at, now_s) if said and not row.why else None
    return replace(row, sign=words.EXCUSED[state]) if state in words.EXCUSED else row


def by_tenant(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    """Incidents by the customers that they name or affect."""
    found: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        tenants = set(incident.affected)
        if incident.scope.tenant is not None:
            tenants.add(incident.scope.tenant)
        for tenant in tenants:
            found[tenant].append(incident)
    return found


def row_of(
    flow: FlowRow, incidents: Sequence[Incident], is_blind: bool, now_s: float
) -> CustomerRow:
    """A customer with what is open about it."""
    health = worst_of(one for one in incidents if not hides_messages(one))
    if health is Health.OK and (is_blind or is_hidden(incidents, flow.labels["tenant"])):
        health = Health.UNKNOWN
    worst = min(incidents, key=lambda incident: incident.severity, default=None)
    is_quiet = health is Health.OK and not is_flowing(flow.last_seen_at, now_s)
    sign = words.QUIET if is_quiet else words.HEALTH[health]
    severity = worst.severity.value if worst else "P9"
    return CustomerRow(
        flow.labels["tenant"],
        sign,
        worst.summary if worst else "",
        worst.id if worst else "",
        flow,
        (RANK[health], severity, error_class(flow.error_ratio), flow.labels["tenant"]),
    )


def error_class(ratio: float | None) -> int:
    """0 for every message failed, 1 for half of them, …, 10 for one in a thousand or fewer."""
    if not ratio:
        return LAST_CLASS
    return min(LAST_CLASS, round(-math.log2(ratio)))
