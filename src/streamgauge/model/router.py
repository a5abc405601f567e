"""Routers as pages show them: senders with a heartbeat of their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RouterState(StrEnum):
    """How a router stands, the worst first."""

    BLIND = "blind"
    """It stopped, and what came only through it is unknown."""
    LATE = "late"
    """It is overdue; too early to say more."""
    ALIVE = "alive"
    GONE = "gone"
    """It stopped, and nothing is missed: its flows come by other ways, or it had none."""


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """One router. Instants are epoch seconds."""

    name: str
    state: RouterState
    first_seen_at: float
    """Of what is known: a day back at most after a restart."""
    last_seen_at: float
    interval_s: float
    """Within which it usually reports."""
    only_customers: int
    """Customers that have messages which come through it only."""
    customers: int
    """Customers whose messages come through it."""
