"""What stands between a body and the store: guard, quotas, and the ledger of what they refused.

Every receiver shares one of it, so that limits hold over all wire formats.
"""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.clock import Clock
from streamgauge.receive.guard import SeriesGuard
from streamgauge.receive.ledger import RefusalLedger
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.quotas import Quotas, QuotaSettings


@dataclass(frozen=True, slots=True)
class Gates:
    """The parts, shared by threads."""

    clock: Clock
    guard: SeriesGuard
    quotas: Quotas
    ledger: RefusalLedger


def gates_of(clock: Clock, limits: ReceiveLimits, quotas: QuotaSettings | None = None) -> Gates:
    """Gates that know nothing yet.

    Args:
        clock: tells hours, rates and what is recent.
        limits: how many series may be new.
        quotas: of the tenants; none unless given.
    """
    return Gates(
        clock,
        SeriesGuard(clock, limits.max_new_series_per_tenant_hour),
        Quotas(clock, quotas or QuotaSettings()),
        RefusalLedger(clock),
    )
