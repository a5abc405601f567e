"""The closed vocabularies of the field (DESIGN section 2): one word per idea."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What happened to a message at a stage."""

    OK = "ok"
    ERROR = "error"
    FILTERED = "filtered"
    """Left out on purpose, by a rule of the customer or the platform."""
    RETRIED = "retried"
    """An attempt that failed and will be made again: never an end."""
    DROPPED = "dropped"
    EXPIRED = "expired"


FAILED: tuple[Outcome, ...] = (Outcome.ERROR, Outcome.DROPPED, Outcome.EXPIRED)
"""The outcomes counted as errors."""

EARLY_ENDS: tuple[Outcome, ...] = (*FAILED, Outcome.FILTERED)
"""The outcomes that end a message before it reaches `delivered`."""

STAGES: tuple[str, ...] = ("received", "queued", "processed", "delivered")
"""The known stages in the order a message passes them."""


class Kind(StrEnum):
    """What an incident is about."""

    SILENCE = "silence"
    DROP = "drop"
    SURGE = "surge"
    ERRORS = "errors"
    BACKLOG = "backlog"
    LATENCY = "latency"
    LOSS = "loss"
    CAPACITY = "capacity"
    BLIND = "blind"
    """We cannot see: never shown or counted as ok or zero."""
    SLO = "slo"
    RULE = "rule"
    """A threshold that the user wrote."""
    EXTERNAL = "external"
    """Came in by the Opsgenie-shaped API."""


class Suspected(StrEnum):
    """Whose side an incident is on, as far as the evidence tells."""

    CUSTOMER = "customer"
    PLATFORM = "platform"
    INTEGRATION = "integration"
    FILTER = "filter"
    COLLECTOR = "collector"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """Opsgenie's priorities: P1 critical … P5 informational."""

    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"
    P5 = "P5"


class IncidentState(StrEnum):
    """Where people stand with an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Health(StrEnum):
    """The one-word state of a platform, a customer or an integration."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    """No data, or we are blind."""
