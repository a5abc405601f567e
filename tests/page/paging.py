"""Incidents and notifications for tests of notifiers, and loops run to their end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import httpx

from streamgauge.model.change import Action
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected

T = TypeVar("T")

SILENCE = Incident(
    id="incident-1",
    key="silence/acme/web/*/*/",
    kind=Kind.SILENCE,
    scope=Scope("acme", "web"),
    state=IncidentState.OPEN,
    severity=Severity.P2,
    suspected=Suspected.CUSTOMER,
    since=1_700_000_000.0,
    opened_at=1_700_000_060.0,
    closed_at=None,
    summary="Customer acme, source web: no messages for 40 min, where 55 were expected",
    evidence={"expected_count": 55.0, "p_value": 1e-9, "sources": ["a", "b"], "last": None},
    affected=("acme",),
    timeline=(
        TimelineEntry(1_700_000_060.0, "opened", "detector", "first evidence"),
        TimelineEntry(1_700_000_100.0, "updated", "detector", "severity rose P2 → P1"),
        TimelineEntry(1_700_000_200.0, "closed", "kim", "messages came back"),
    ),
    sequence=3,
)


def notification(action: Action = Action.CREATE, sequence: int = 1) -> Notification:
    """One that is claimed for the first time."""
    return Notification(
        id=f"incident-1/{sequence}/pager",
        incident_id="incident-1",
        sequence=sequence,
        notifier="pager",
        action=action,
        reason="takes P2",
        state=DeliveryState.PENDING,
        created_at=1_000.0,
        due_at=1_000.0,
        attempts=1,
    )


def closed(incident: Incident = SILENCE) -> Incident:
    """As it is after its end."""
    return replace(incident, state=IncidentState.CLOSED, closed_at=1_700_000_200.0)


def with_client(work: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Run `work` with a client of its own."""

    async def main() -> T:
        async with httpx.AsyncClient() as client:
            return await work(client)

    return asyncio.run(main())
