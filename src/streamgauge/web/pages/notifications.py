"""Who was told of an incident, and how that went, as rows for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from streamgauge.model.change import Action
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.web.words import Sign

STATES: dict[DeliveryState, Sign] = {
    DeliveryState.PENDING: Sign("To be sent", "info", "clock"),
    DeliveryState.DELIVERED: Sign("Delivered", "good", "check"),
    DeliveryState.FAILED: Sign("Given up", "bad", "cross"),
    DeliveryState.SUPPRESSED: Sign("Not told", "muted", "pause"),
    DeliveryState.OBSOLETE: Sign("Overtaken", "muted", "pause"),
}
TRIED = Sign("Not taken yet", "warn", "alert")
NEWS: dict[Action, str] = {
    Action.CREATE: "that it opened",
    Action.UPDATE: "what is new",
    Action.CLOSE: "that it is over",
}


@dataclass(frozen=True, slots=True)
class Told:
    """One notifier and one change of the incident."""

    notifier: str
    sign: Sign
    news: str
    why: str
    """Why this notifier is told, or not."""
    trouble: str
    """What went wrong, or overtook it; empty when it was delivered."""
    at: float | None
    """Epoch seconds: when it came to its end; None while it waits."""
    due_at: float
    """Epoch seconds of the next attempt, while it waits."""
    attempts: int


def told_rows(notifications: Iterable[Notification]) -> list[Told]:
    """The newest first."""
    rows = [_row(one) for one in notifications]
    return rows[::-1]


def _row(one: Notification) -> Told:
    is_tried = one.state is DeliveryState.PENDING and bool(one.last_error)
    return Told(
        notifier=one.notifier,
        sign=TRIED if is_tried else STATES[one.state],
        news=NEWS[one.action],
        why=one.reason,
        trouble="" if one.state is DeliveryState.DELIVERED else one.last_error,
        at=None if one.state is DeliveryState.PENDING else one.finished_at or one.created_at,
        due_at=one.due_at,
        attempts=one.attempts,
    )
