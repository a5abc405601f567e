"""What is not seen any more, where routers have stopped."""

from __future__ import annotations

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.router_words import Lost
from streamgauge.detect.shares import sent_by_all


def lost_with(
    names: list[str],
    since: float,
    flows: Ints,
    through: set[str],
    levels: Levels,
    rates: Floats,
) -> Lost:
    """What is lost with some routers.

    Args:
        names: theirs.
        since: epoch seconds of their last report.
        flows: that came only through them and were not heard since.
        through: customers of which anything came through them.
        levels: whose flows they are.
        rates: messages an hour [rows].
    """
    weights = rates[levels.flow_rows[flows, 0]]
    by_tenant: dict[str, float] = {}
    for flow, weight in zip(flows.tolist(), weights.tolist(), strict=True):
        tenant = levels.flows[flow].tenant
        by_tenant[tenant] = by_tenant.get(tenant, 0.0) + weight
    # A message counts in several flows, but no customer brings more than it sends.
    lost = sum(min(rate, _sent(tenant, levels, rates)) for tenant, rate in by_tenant.items())
    return Lost(
        names=names,
        since=since,
        tenants=sorted(by_tenant, key=lambda tenant: -by_tenant[tenant]),
        elsewhere_count=len(through - by_tenant.keys()),
        share=lost / max(sent_by_all(levels, rates), 1e-9),
    )


def _sent(tenant: str, levels: Levels, rates: Floats) -> float:
    group = levels.find(Names(Level.TENANT, tenant))
    return 0.0 if group is None else float(rates[levels.primary(group)])
