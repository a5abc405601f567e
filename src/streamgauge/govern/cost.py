"""Money: what is used times what it costs, and each customer's share of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.model.budget import MonthCost, TenantCost
from streamgauge.model.usage import Level, StoreUsage, TenantUsage

GB = 1e9
LINES_SHARE = 0.5
"""Half of what is not disk goes by lines sent, half by rows kept: work, and what is known."""


@dataclass(frozen=True, slots=True)
class Prices:
    """A month's prices."""

    currency: str
    disk_gb: float
    memory_gb: float
    cpu: float
    network_gb: float
    is_example: bool = True


def month_cost(
    prices: Prices, disk_bytes: float, memory_bytes: float, cpus: float, network_bytes: float
) -> MonthCost:
    """What it costs a month.

    Args:
        prices: of each thing.
        disk_bytes: used.
        memory_bytes: reserved.
        cpus: reserved.
        network_bytes: in a month.
    """
    return MonthCost(
        currency=prices.currency,
        disk=prices.disk_gb * disk_bytes / GB,
        memory=prices.memory_gb * memory_bytes / GB,
        cpu=prices.cpu * cpus,
        network=prices.network_gb * network_bytes / GB,
        is_example=prices.is_example,
    )


def tenant_costs(
    usage: StoreUsage, tenants: Sequence[TenantUsage], over_s: float, cost: MonthCost
) -> list[TenantCost]:
    """Each customer's share, the dearest first; what nobody sent alone is shared alike.

    Args:
        usage: all that is kept.
        tenants: what each sent …
        over_s: … in so many seconds.
        cost: of a month.
    """
    lines = sum(one.lines for one in tenants)
    rows = sum(one.minute_rows for one in tenants)
    raw = usage.bytes_of(Level.RAW)
    summed = usage.total_bytes - raw
    costs = []
    for one in tenants:
        by_lines = one.lines / lines if lines else 0.0
        by_rows = one.minute_rows / rows if rows else 0.0
        size = raw * by_lines + summed * by_rows
        of_disk = size / usage.total_bytes if usage.total_bytes else 0.0
        of_rest = LINES_SHARE * by_lines + (1 - LINES_SHARE) * by_rows
        month = cost.disk * of_disk + (cost.total - cost.disk) * of_rest
        a_day = 86_400 / over_s
        costs.append(
            TenantCost(
                tenant=one.tenant,
                lines_per_day=one.lines * a_day,
                messages_per_day=one.messages * a_day,
                size_bytes=size,
                share_ratio=month / cost.total if cost.total else 0.0,
                month_cost=month,
            )
        )
    return sorted(costs, key=lambda cost: (-cost.month_cost, cost.tenant))
