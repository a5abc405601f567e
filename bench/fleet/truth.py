"""What went wrong in a run, and when: what the detector's answers are held against."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Kind, Suspected


class FaultKind(StrEnum):
    """Every way in which a fleet goes wrong."""

    SILENT_CUSTOMER = "silent_customer"
    SILENT_SOURCE = "silent_source"
    SILENT_DELIVERY = "silent_delivery"
    """Nothing is delivered to one integration for one customer."""
    SILENT_INTEGRATION = "silent_integration"
    SILENT_INGEST = "silent_ingest"
    """No customer gets in, though the platform itself still reports."""
    BLIND = "blind"
    ERRORS_DELIVERY = "errors_delivery"
    ERRORS_CUSTOMER = "errors_customer"
    """One customer's messages fail wherever they go."""
    ERRORS_REASON = "errors_reason"
    """A few fail for a reason never seen."""
    ERRORS_INTEGRATION = "errors_integration"
    DROP = "drop"
    SURGE = "surge"
    LOSS = "loss"
    DOUBLES = "doubles"
    BACKLOG = "backlog"

    @property
    def kind(self) -> Kind:
        """Of the incident that should open."""
        return _KINDS[self.value.partition("_")[0]]


_KINDS = {
    "silent": Kind.SILENCE,
    "blind": Kind.BLIND,
    "errors": Kind.ERRORS,
    "drop": Kind.DROP,
    "surge": Kind.SURGE,
    "loss": Kind.LOSS,
    "doubles": Kind.LOSS,
    "backlog": Kind.BACKLOG,
}
WIDE = (
    FaultKind.SILENT_INTEGRATION,
    FaultKind.SILENT_INGEST,
    FaultKind.BLIND,
    FaultKind.ERRORS_INTEGRATION,
    FaultKind.BACKLOG,
)
"""What does not stop at one customer."""


@dataclass(slots=True)
class Fault:
    """One fault. Minutes are those of the run."""

    number: int
    kind: FaultKind
    start: int
    end: int
    customer: int | None = None
    source: str | None = None
    integration: int | None = None
    level: float = 1.0
    """Share that fails or is lost; of drop and surge the factor."""
    reason: str = ""
    suspected: tuple[Suspected, ...] = ()
    """Any of these is right."""
    scopes: tuple[Scope, ...] = (PLATFORM,)
    """Any of these names it."""
    per_day: float = 0.0
    """Of whom it hits, messages a day."""
    began: float | None = None
    """Minute after the last message before it; of errors the first minute with a message."""
    least_minutes: float | None = None
    """From `began` to when any rule could know; None: it ended before that."""

    @property
    def is_wide(self) -> bool:
        """Whether it hits more than one customer."""
        return self.kind in WIDE

    @property
    def is_detectable(self) -> bool:
        """Whether evidence reached 13.8 nats while it lasted."""
        return self.least_minutes is not None


@dataclass(slots=True)
class Truth:
    """All faults of a run."""

    faults: list[Fault] = field(default_factory=list)

    def of_customer(self, number: int, integrations: tuple[int, ...]) -> list[Fault]:
        """Every fault that the messages of a customer feel."""
        return [
            fault
            for fault in self.faults
            if fault.customer in {None, number}
            and (fault.customer is not None or fault.integration in {None, *integrations})
            and fault.kind is not FaultKind.BACKLOG
        ]
