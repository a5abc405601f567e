"""The outbox: notifications put in with the change they tell of, claimed, and finished.

A claim is one conditional update, so that of two workers only one holds a notification; the lease
ends by itself if its worker dies. Of one incident, a notifier gets one notification at a time, in
the order of the transitions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, insert, or_, select, update
from sqlalchemy.orm import aliased

from streamgauge.model.change import Action, Change, Route, Routing
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import IncidentState
from streamgauge.state.overtaking import Waiting, overtake
from streamgauge.state.rows import notification_of
from streamgauge.state.tables import IncidentRow, NotificationRow

_Row = NotificationRow
_PENDING = DeliveryState.PENDING.value
_COLUMNS = tuple(NotificationRow.__table__.columns)


def put(connection: Connection, change: Change, routing: Routing) -> None:
    """Put in what `routing` says of `change`, and take out what that overtakes."""
    if change.notify is None or change.entry is None:
        return
    rows = connection.execute(
        select(*_COLUMNS)
        .where(_Row.incident_id == change.incident.id)
        .order_by(_Row.sequence, _Row.notifier)
    ).all()
    for route in routing(change, _told(rows, change.notify)):
        own = [row for row in rows if row.notifier == route.notifier]
        _put_one(connection, change, route, own, change.entry.at)


def _newest_creates(rows: Sequence[Row[Any]]) -> dict[str, DeliveryState]:
    return {
        row.notifier: DeliveryState(row.state) for row in rows if row.action == Action.CREATE.value
    }


def _told(rows: Sequence[Row[Any]], action: Action) -> set[str]:
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


def _put_one(
    connection: Connection, change: Change, route: Route, own: Sequence[Row[Any]], now: float
) -> None:
    state, reason = DeliveryState.PENDING, route.reason
    if not route.is_sent:
        state = DeliveryState.SUPPRESSED
    else:
        waiting = [_waiting(row, now) for row in own if row.state == _PENDING]
        result = overtake(route.action, waiting, is_created=_is_created(own))
        for notification_id, why in result.obsolete.items():
            _finish(connection, notification_id, DeliveryState.OBSOLETE, now, last_error=why)
        if result.needless:
            state, reason = DeliveryState.OBSOLETE, result.needless
    connection.execute(insert(_Row).values(**_values(change, route, state, reason, now)))


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


def claim_due(
    connection: Connection,
    now: float,
    limit: int,
    lease_s: float,
    owner: str,
    notifiers: Collection[str] | None,
) -> list[Notification]:
    """Take up to `limit` due notifications for `lease_s`; each counts as an attempt."""
    free = and_(_Row.state == _PENDING, or_(_Row.lease_until.is_(None), _Row.lease_until <= now))
    earlier = aliased(_Row)
    has_earlier = exists().where(
        earlier.incident_id == _Row.incident_id,
        earlier.notifier == _Row.notifier,
        earlier.sequence < _Row.sequence,
        earlier.state == _PENDING,
    )
    due = select(_Row.id).where(free, _Row.due_at <= now, ~has_earlier)
    if notifiers is not None:
        due = due.where(_Row.notifier.in_(notifiers))
    # As a CTE it runs once: PostgreSQL may run a subquery again and again, and pass the limit.
    chosen = due.order_by(_Row.due_at, _Row.id).limit(limit).with_for_update(skip_locked=True)
    chosen_ids = select(chosen.cte("chosen").c.id)
    claimed = connection.execute(
        update(_Row)
        .where(_Row.id.in_(chosen_ids), free)
        .values(lease_owner=owner, lease_until=now + lease_s, attempts=_Row.attempts + 1)
        .returning(*_COLUMNS)
    ).all()
    return sorted(map(notification_of, claimed), key=lambda one: (one.due_at, one.id))


def has_due(connection: Connection, now: float, notifiers: Collection[str] | None) -> bool:
    """Whether a claim may find anything; asked first, as it takes no writer's lock."""
    due = select(_Row.id).where(_Row.state == _PENDING, _Row.due_at <= now)
    if notifiers is not None:
        due = due.where(_Row.notifier.in_(notifiers))
    return connection.execute(due.limit(1)).first() is not None


def delivered(connection: Connection, notification_id: str, at: float, receipt: str) -> None:
    """It arrived; that is true also of one that was overtaken meanwhile."""
    _finish(
        connection,
        notification_id,
        DeliveryState.DELIVERED,
        at,
        receipt=receipt,
        last_error="",
    )


def failed(
    connection: Connection, notification_id: str, at: float, error: str, retry_at: float | None
) -> None:
    """It did not arrive: again at `retry_at`, unless that is None or its incident has closed."""
    if retry_at is None:
        _finish(connection, notification_id, DeliveryState.FAILED, at, last_error=error)
        return
    is_over = exists().where(
        IncidentRow.id == _Row.incident_id, IncidentRow.state == IncidentState.CLOSED.value
    )
    overtaken = connection.execute(
        update(_Row)
        .where(_Row.id == notification_id, _Row.state == _PENDING)
        .where(_Row.action != Action.CLOSE.value, is_over)
        .values(
            state=DeliveryState.OBSOLETE.value,
            finished_at=at,
            lease_owner=None,
            lease_until=None,
            last_error=f"closed before it was delivered; {error}",
        )
    )
    if overtaken.rowcount == 0:
        connection.execute(
            update(_Row)
            .where(_Row.id == notification_id, _Row.state == _PENDING)
            .values(due_at=retry_at, lease_owner=None, lease_until=None, last_error=error)
        )


def retire(connection: Connection, configured: Collection[str], at: float) -> int:
    """Give up what waits for notifiers that are no longer configured."""
    result = connection.execute(
        update(_Row)
        .where(_Row.state == _PENDING, _Row.notifier.not_in(configured))
        .values(
            state=DeliveryState.FAILED.value,
            finished_at=at,
            last_error="its notifier is no longer configured",
        )
    )
    return int(result.rowcount)


def list_of(connection: Connection, incident_id: str) -> list[Notification]:
    """All notifications of an incident, in order."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(_Row.incident_id == incident_id)
        .order_by(_Row.sequence, _Row.notifier)
    )
    return [notification_of(row) for row in rows]


def _finish(
    connection: Connection, notification_id: str, state: DeliveryState, at: float, **values: str
) -> None:
    open_states = [_PENDING]
    if state is DeliveryState.DELIVERED:
        open_states.append(DeliveryState.OBSOLETE.value)
    connection.execute(
        update(_Row)
        .where(_Row.id == notification_id, _Row.state.in_(open_states))
        .values(state=state.value, finished_at=at, lease_owner=None, lease_until=None, **values)
    )
