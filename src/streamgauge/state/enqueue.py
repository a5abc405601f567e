"""Puts notifications into the outbox, in the transaction of the change they tell of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, update

from streamgauge.model.change import Action, Change, Route, Routing
from streamgauge.model.notification import DeliveryState
from streamgauge.state.outbox import rows_of
from streamgauge.state.overtaking import Waiting, overtake
from streamgauge.state.tables import NotificationRow

_PENDING = DeliveryState.PENDING.value
_OBSOLETE = (
    update(NotificationRow.__table__)  # type: ignore[arg-type]
    .where(NotificationRow.id == bindparam("at_id"), NotificationRow.state == _PENDING)
    .values(
        state=DeliveryState.OBSOLETE.value,
        finished_at=bindparam("at"),
        last_error=bindparam("why"),
        lease_owner=None,
        lease_until=None,
    )
)


def enqueue(connection: Connection, changes: Sequence[Change], routing: Routing) -> None:
    """Put in what `routing` says of `changes`, one an incident, and take out what they overtake."""
    told = [change for change in changes if change.notify]
    known = [change.incident.id for change in told if change.incident.sequence > 1]
    earlier = rows_of(connection, known, for_update=True)
    values: list[dict[str, Any]] = []
    overtaken: list[dict[str, Any]] = []
    for change in told:
        rows = earlier.get(change.incident.id, [])
        for route in routing(change, _told(rows, change.notify)):
            own = [row for row in rows if row.notifier == route.notifier]
            values.append(_one_values(change, route, own, overtaken))
    if overtaken:
        connection.execute(_OBSOLETE, overtaken)
    if values:
        connection.execute(insert(NotificationRow), values)


def _newest_creates(rows: Sequence[Row[Any]]) -> dict[str, DeliveryState]:
    return {
        row.notifier: DeliveryState(row.state) for row in rows if row.action == Action.CREATE.value
    }


def _told(rows: Sequence[Row[Any]], action: Action | None) -> set[str]:
    """The notifiers whose receiver has the incident, or may have it.

    Where creating failed, a growing incident is created anew; but it is closed all the same, as
    a day of failed attempts may have left it there.
    """
    unknown = {DeliveryState.SUPPRESSED}
    if action is not Action.CLOSE:
        unknown.add(DeliveryState.FAILED)
    return {name for name, state in _newest_creates(rows).items() if state not in unknown}


def _is_created(own: Sequence[Row[Any]]) -> bool:
    """Whether the receiver has it open, by the last opening or closing that came to an end."""
    ends = {DeliveryState.DELIVERED.value, DeliveryState.FAILED.value}
    ended = [row for row in own if row.action != Action.UPDATE.value and row.state in ends]
    return bool(ended) and (ended[-1].action, ended[-1].state) == (
        Action.CREATE.value,
        DeliveryState.DELIVERED.value,
    )


def _one_values(
    change: Change, route: Route, own: Sequence[Row[Any]], overtaken: list[dict[str, Any]]
) -> dict[str, Any]:
    """The new row for `route`; those of `own` that it overtakes are added to `overtaken`."""
    now = change.entry.at if change.entry else change.incident.opened_at
    if not route.is_sent:
        return _values(change, route, DeliveryState.SUPPRESSED, route.reason, now)
    waiting = [_waiting(row, now) for row in own if row.state == _PENDING]
    result = overtake(route.action, waiting, is_created=_is_created(own))
    overtaken += [{"at_id": name, "why": why, "at": now} for name, why in result.obsolete.items()]
    if result.needless:
        return _values(change, route, DeliveryState.OBSOLETE, result.needless, now)
    return _values(change, route, DeliveryState.PENDING, route.reason, now)


def _waiting(row: Row[Any], now: float) -> Waiting:
    is_in_flight = row.lease_until is not None and row.lease_until > now
    return Waiting(row.id, Action(row.action), row.attempts, is_in_flight)


def _values(
    change: Change, route: Route, state: DeliveryState, reason: str, now: float
) -> dict[str, Any]:
    incident = change.incident
    return {
        "id": f"{incident.id}/{incident.sequence}/{route.notifier}",
        "incident_id": incident.id,
        "sequence": incident.sequence,
        "notifier": route.notifier,
        "action": route.action.value,
        "reason": reason,
        "state": state.value,
        "created_at": now,
        "due_at": now,
        "attempts": 0,
        "last_error": "",
        "finished_at": None if state is DeliveryState.PENDING else now,
        "receipt": "",
    }
