"""A detector's answer for one scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected

Evidence = Mapping[str, str | float | int | bool | list[str] | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """What holds now for one scope, and why we believe it.

    A detector tells every finding that holds at each turn; one that is not told any more is over.
    """

    kind: Kind
    scope: Scope
    severity: Severity
    suspected: Suspected
    since: float
    """Epoch seconds: when the trouble began, as far as the evidence tells (not when we saw it)."""
    summary: str
    """One plain sentence for someone woken at 3 a.m.: who, what, since when, compared with what."""
    evidence: Evidence = field(default_factory=dict)
    """Numbers behind the sentence, units in the names: `expected_count`, `p_value`, …"""
    affected: tuple[str, ...] = ()
    """Tenants hurt, most hurt first."""
    subject: str = ""
    """What else tells it apart within its kind and scope: a queue's or a rule's name."""
    over_reason: str = ""
    """Not empty: the detector knows that it is over, and why (`messages came back at 14:02`)."""

    covers: tuple[str, ...] = ()
    """Keys of findings that this one explains; their incidents are closed as part of it."""

    @property
    def key(self) -> str:
        """Names the trouble; at most one incident is open for a key. Parts are percent-encoded."""
        parts = ("*" if part is None else quote(part, safe="") for part in self.scope)
        return "/".join((self.kind, *parts, quote(self.subject, safe="")))
