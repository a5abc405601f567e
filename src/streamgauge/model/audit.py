"""Who changed what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change by somebody."""

    at: float
    """Epoch seconds."""
    actor: str
    """Which token or address, as far as it is known."""
    action: str
    """`flow declared`, `flow changed`, `flow removed`."""
    subject: str
    """What was changed, in words."""
    before: Mapping[str, object] | None
    """None: there was nothing."""
    after: Mapping[str, object] | None
    """None: there is nothing any more."""
