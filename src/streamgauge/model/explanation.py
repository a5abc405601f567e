"""Why something was, or was not, told at an instant: the sentences, and the numbers behind them."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope


@dataclass(frozen=True, slots=True)
class SilenceWeighed:
    """How much its quiet speaks against "it still sends", and how much a page takes."""

    last_message_at: float
    """Epoch seconds, as all instants here."""
    interval_s: float
    """The usual time between its reports."""
    due_at: float
    """Quiet counts from then on."""
    expected_messages: float
    """Usual since the last one, in seen time."""
    nats: float
    bar_nats: float | None
    """None: too little is known for a page."""
    budget_nats: float
    """What the budget alone takes: ln(looks x flows / allowed)."""
    looks_per_week: float
    flow_count: int
    allowed_per_week: float
    """False pages of this kind, of the whole fleet."""
    past_peak_nats: float
    """The strongest evidence that its own past reached without a fault."""
    active_minutes: int
    """With a message, that were learned from."""
    excused_ratio: float
    """Part of its messages that nobody expects now: paused, retired, hidden, out of hours."""
    opens_at: float | None
    """When it opens if nothing comes while others are heard; None: not within a week."""


@dataclass(frozen=True, slots=True)
class ErrorsWeighed:
    """Failures of the last hour against the usual share."""

    failed: int
    ended: int
    usual_ratio: float
    nats: float
    bar_nats: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What detection makes of one scope at one instant."""

    scope: Scope
    at: float
    seen_until: float | None
    """The watermark: what comes after it is not judged. None: nothing was ever seen."""
    words: tuple[str, ...]
    silence: SilenceWeighed | None
    errors: ErrorsWeighed | None
    findings: tuple[Finding, ...]
    """What holds and concerns it, its customers and flows, or what it belongs to."""
