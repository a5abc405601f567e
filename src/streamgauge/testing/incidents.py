"""Incidents such as detectors open, for tests and for designing pages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from streamgauge.model.change import Action
from streamgauge.model.errors import NotFound
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected


def an_incident(incident_id: str, opened_at: float) -> Incident:
    """An open silence of one customer; `dataclasses.replace` makes another of it.

    Args:
        incident_id: its id.
        opened_at: epoch seconds; it began 18 minutes before.
    """
    return Incident(
        id=incident_id,
        key=incident_id,
        kind=Kind.SILENCE,
        scope=Scope(tenant="dunder", source="server"),
        state=IncidentState.OPEN,
        severity=Severity.P2,
        suspected=Suspected.CUSTOMER,
        since=opened_at - 1080,
        opened_at=opened_at,
        closed_at=None,
        summary="dunder went silent: no message from source server for 18 min, usually one "
        "every 16 s; its source web still speaks.",
        evidence={
            "expected_count": 67.4,
            "seen_count": 0,
            "p_value": 5.4e-30,
            "usual_interval_s": 16.0,
            "quiet_s": 1080.0,
            "last_seen_at": opened_at - 1080,
            "history_s": 604_800.0,
        },
        affected=("dunder",),
        timeline=(
            TimelineEntry(
                opened_at,
                "opened",
                "detector",
                "67 messages were expected since the last one and none came",
            ),
        ),
    )


def platform_under_trouble(now_s: float) -> list[Incident]:
    """Three incidents: a silent customer, a failing integration, and a backlog that is over."""
    return [
        an_incident("inc-silence", now_s - 240),
        replace(
            an_incident("inc-errors", now_s - 660),
            kind=Kind.ERRORS,
            scope=Scope(integration="webhook"),
            severity=Severity.P3,
            suspected=Suspected.INTEGRATION,
            since=now_s - 900,
            summary="Integration webhook fails for 4 customers: 18.2 % of messages since 15 min, "
            "usually 0.6 %; their other integrations are well.",
            evidence={
                "error_ratio": 0.182,
                "usual_error_ratio": 0.006,
                "errors_count": 1911,
                "messages_count": 10_500,
                "log_likelihood_ratio": 812.4,
                "top_reasons": ["http_503", "timeout"],
            },
            affected=("initech", "globex", "stark", "wonka"),
            timeline=(
                TimelineEntry(now_s - 660, "opened", "detector", "18.2 % of 10,500 messages fail"),
                TimelineEntry(now_s - 300, "updated", "detector", "wonka is affected too"),
            ),
        ),
        replace(
            an_incident("inc-backlog", now_s - 9000),
            kind=Kind.BACKLOG,
            scope=Scope(pipeline="main"),
            severity=Severity.P2,
            suspected=Suspected.PLATFORM,
            state=IncidentState.CLOSED,
            since=now_s - 9300,
            closed_at=now_s - 6400,
            summary="Queue main grows by 310 messages/s: 184,000 wait, the oldest for 9 min, "
            "usually under 5 s.",
            evidence={
                "backlog": 184_000,
                "oldest_age_s": 540.0,
                "growth_per_second": 310.0,
                "usual_oldest_age_s": 4.4,
                "drain_eta_s": None,
            },
            affected=(),
            timeline=(
                TimelineEntry(
                    now_s - 9000, "opened", "detector", "the oldest message is 9 min old"
                ),
                TimelineEntry(now_s - 8700, "acknowledged", "ada", "workers are being added"),
                TimelineEntry(now_s - 6400, "closed", "detector", "the queue is empty again"),
            ),
        ),
    ]


@dataclass(slots=True)
class FakeIncidents:
    """A list of incidents to read."""

    incidents: list[Incident] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def list_incidents(
        self, state: IncidentState | None = None, tenant: str | None = None, limit: int = 1000
    ) -> list[Incident]:
        """As `Incidents.list_incidents`."""
        found = [
            replace(incident, timeline=())
            for incident in self.incidents
            if state in {None, incident.state}
            and (tenant is None or tenant == incident.scope.tenant or tenant in incident.affected)
        ]
        return sorted(found, key=lambda incident: -incident.opened_at)[:limit]

    def get_incident(self, incident_id: str) -> Incident:
        """As `Incidents.get_incident`."""
        for incident in self.incidents:
            if incident.id == incident_id:
                return incident
        raise NotFound(f"No incident {incident_id!r}: /api/v1/incidents lists those there are")

    def list_notifications(self, incident_id: str) -> list[Notification]:
        """As `Incidents.list_notifications`."""
        return [one for one in self.notifications if one.incident_id == incident_id]


def a_notification(incident_id: str, at: float) -> Notification:
    """Opsgenie was told that it opened; `dataclasses.replace` makes another of it.

    Args:
        incident_id: of its incident.
        at: epoch seconds; it was delivered a second later.
    """
    return Notification(
        id=f"{incident_id}-1-opsgenie",
        incident_id=incident_id,
        sequence=1,
        notifier="opsgenie",
        action=Action.CREATE,
        reason="takes P2",
        state=DeliveryState.DELIVERED,
        created_at=at,
        due_at=at,
        attempts=1,
        finished_at=at + 1,
        receipt="request 1",
    )
