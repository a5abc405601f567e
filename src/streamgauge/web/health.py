"""The one-word health of the platform or a customer, judged from what is open and what was seen.

A pure decision over incidents; it never asks the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamgauge.model.incident import Incident
from streamgauge.model.views import Filters
from streamgauge.model.words import Health, IncidentState, Kind, Severity, Suspected


def health_of(
    incidents: Sequence[Incident], messages: int | None, tenant: str | None = None
) -> Health:
    """The health of a scope.

    1. Blind, for all or for this customer, or nobody's messages seen: unknown, which is never ok.
    2. A P1: down.
    3. Anything else that is open, but for informational P5: degraded.
    4. None of its own messages seen, while others speak: unknown.

    Args:
        incidents: those open over the range that concern the scope.
        messages: how many of its messages ended in the range; None if we did not see.
        tenant: the customer, where the scope is of one.
    """
    if messages is None or is_hidden(incidents, tenant):
        return Health.UNKNOWN
    health = worst_of(incidents)
    return Health.UNKNOWN if health is Health.OK and not messages else health


def worst_of(incidents: Iterable[Incident]) -> Health:
    """Down, degraded or ok, by the severities alone."""
    severities = {incident.severity for incident in incidents if not is_about_us(incident)}
    if Severity.P1 in severities:
        return Health.DOWN
    return Health.DEGRADED if severities - {Severity.P5} else Health.OK


def is_all_blind(incident: Incident) -> bool:
    """Whether nobody can be seen; one with a subject is about what comes by one way only."""
    has_subject = any(incident.key.split("/", 5)[5:])
    return incident.kind is Kind.BLIND and incident.scope.tenant is None and not has_subject


def hides_messages(incident: Incident) -> bool:
    """Whether messages cannot be seen; a collector that fails leaves queues unseen only."""
    subject = "".join(incident.key.split("/", 5)[5:])
    return incident.kind is Kind.BLIND and not subject.startswith("collector%20")


def is_hidden(incidents: Iterable[Incident], tenant: str | None) -> bool:
    """Whether a customer cannot be seen: nobody can, or it came only through what has stopped."""
    return any(
        is_all_blind(incident) or (hides_messages(incident) and tenant in incident.affected)
        for incident in incidents
    )


def is_about_us(incident: Incident) -> bool:
    """Whether it tells of streamgauge's own room, which is not the platform's health."""
    return incident.kind is Kind.CAPACITY and incident.suspected is Suspected.COLLECTOR


def open_at(incidents: Iterable[Incident], at: float) -> list[Incident]:
    """Those that were open at an instant (epoch seconds)."""
    return [
        incident
        for incident in incidents
        if incident.opened_at <= at
        and (
            incident.state is not IncidentState.CLOSED
            or incident.closed_at is None
            or incident.closed_at > at
        )
    ]


def concerning(incidents: Iterable[Incident], filters: Filters) -> list[Incident]:
    """Those that say something about what the filters select.

    1. Without a filter all do.
    2. One that names another customer, source, integration or pipeline does not.
    3. One that names what is asked does; a customer is also named by being affected.
    4. Of those that name nothing asked, the platform's critical and blind ones do.
    """
    asked = (filters.tenant, filters.source, filters.integration, filters.pipeline)
    if not any(value is not None for value in asked):
        return list(incidents)
    return [incident for incident in incidents if _concerns(incident, asked)]


def _concerns(incident: Incident, asked: tuple[str | None, ...]) -> bool:
    pairs = [
        (value, named)
        for value, named in zip(asked, incident.scope, strict=True)
        if value is not None
    ]
    tenant = asked[0]
    is_affected = tenant is not None and tenant in incident.affected
    if any(named is not None and named != value for value, named in pairs) and not is_affected:
        return False
    if is_affected or any(named == value for value, named in pairs):
        return True
    return incident.scope.tenant is None and (
        (incident.severity is Severity.P1 and incident.kind is not Kind.BLIND)
        or is_all_blind(incident)
    )


def is_about_tenant(incident: Incident, tenant: str) -> bool:
    """Whether the customer is named by the incident, or hurt by it."""
    return incident.scope.tenant == tenant or tenant in incident.affected
