"""One thing to tell one notifier about one incident, and how far the telling has come."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from streamgauge.model.change import Action


class DeliveryState(StrEnum):
    """How far a notification has come."""

    PENDING = "pending"
    """To be sent, or sent again, at `due_at`."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up: the notifier refused it for good, or a day of attempts went by."""
    SUPPRESSED = "suppressed"
    """Never to be sent: routing says why."""
    OBSOLETE = "obsolete"
    """Overtaken before it was sent: people are not told of what is over."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One row of the outbox. Instants are epoch seconds."""

    id: str
    """The same over all attempts, so that a receiver knows a repeat."""
    incident_id: str
    sequence: int
    """Number of the transition it tells of."""
    notifier: str
    action: Action
    reason: str
    """Why this notifier is told, or why not."""
    state: DeliveryState
    created_at: float
    due_at: float
    attempts: int = 0
    """Attempts begun, this one included."""
    last_error: str = ""
    finished_at: float | None = None
    """When it was delivered, given up or overtaken."""
    receipt: str = ""
    """What the receiver answered."""
