"""Line protocol of made-up customers, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reported:
    """What one customer's router reported for one minute."""

    tenant: str
    minute: int
    """Since the epoch."""
    count: int
    """Messages delivered."""

    @property
    def line(self) -> str:
        """As line protocol, stamped at the start of the minute."""
        return (
            f"messages,tenant={self.tenant},source=web,integration=ga4,pipeline=main,"
            f"stage=delivered,outcome=ok count={self.count}i,latency_ms={20 + self.count * 3} "
            f"{self.minute * 60_000_000_000}"
        )


def customers(count: int) -> list[str]:
    """Names of that many customers."""
    return [f"customer-{number:02}" for number in range(count)]


def steady(tenants: Collection[str], minutes: Iterable[int], seed: int = 7) -> Iterator[Reported]:
    """Every customer in every minute, 5 to 15 messages each, in the order of time."""
    chance = random.Random(seed)  # noqa: S311 -- a repeatable load, no secret
    for minute in minutes:
        for tenant in tenants:
            yield Reported(tenant, minute, chance.randint(5, 15))


def without(
    reported: Iterable[Reported], minutes: range, tenant: str | None = None
) -> Iterator[Reported]:
    """All but what `tenant` (None: everyone) reported in these minutes."""
    for report in reported:
        if report.minute not in minutes or tenant not in {None, report.tenant}:
            yield report
