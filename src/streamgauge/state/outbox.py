"""The outbox: notifications that wait are claimed, and finished; `state.enqueue` puts them in.

A claim is one conditional update, so that of two workers only one holds a notification; the lease
ends by itself if its worker dies. Of one incident, a notifier gets one notification at a time, in
the order of the transitions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, func, or_, select, update
from sqlalchemy.orm import aliased

from streamgauge.model.change import Action
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import IncidentState
from streamgauge.state.rows import notification_of
from streamgauge.state.tables import IncidentRow, NotificationRow

_Row = NotificationRow
_PENDING = DeliveryState.PENDING.value
_COLUMNS = tuple(NotificationRow.__table__.columns)
_IDS_A_QUERY = 500
"""Well below the parameters that SQLite takes in one statement."""


def rows_of(
    connection: Connection, incident_ids: Sequence[str], *, for_update: bool = False
) -> dict[str, list[Row[Any]]]:
    """All notifications of each incident, oldest first.

    `for_update` keeps workers from claiming them until the transaction ends.
    """
    rows: dict[str, list[Row[Any]]] = {}
    for start in range(0, len(incident_ids), _IDS_A_QUERY):
        statement = (
            select(*_COLUMNS)
            .where(_Row.incident_id.in_(incident_ids[start : start + _IDS_A_QUERY]))
            .order_by(_Row.incident_id, _Row.sequence, _Row.notifier)
        )
        for row in connection.execute(statement.with_for_update() if for_update else statement):
            rows.setdefault(row.incident_id, []).append(row)
    return rows


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
    # Locked first: a closing that is being written right now must be seen below.
    connection.execute(select(_Row.id).where(_Row.id == notification_id).with_for_update())
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


def counts(connection: Connection) -> dict[str, int]:
    """How many are in each delivery state; 0 where there are none."""
    found = connection.execute(select(_Row.state, func.count()).group_by(_Row.state)).all()
    return {state.value: 0 for state in DeliveryState} | {row[0]: int(row[1]) for row in found}


def list_of(connection: Connection, incident_id: str) -> list[Notification]:
    """All notifications of an incident, in order."""
    rows = rows_of(connection, [incident_id])
    return [notification_of(row) for row in rows.get(incident_id, [])]


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
