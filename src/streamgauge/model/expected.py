"""What people expect of flows: declared, retired, paused, by which calendar; pure.

It is kept in the state database (or stands in the configuration), detection judges by it, pages
show it. `FlowEdit` is one change of it, as the API and the command line make them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypedDict

from streamgauge.model.flow import Scope

DEFAULT_FIRST_WITHIN_S = 86_400.0
"""How long a declared flow may stay without its first message where nothing is said."""
RETURNS_AFTER_S = 86_400.0
"""Messages stamped later than this after a retirement mean that the flow is back. What is stamped
before is the rest of it: queues drain, retries end."""


class FlowState(StrEnum):
    """What is expected of a flow now."""

    SEEN = "seen"
    """It spoke, so it is expected to speak again."""
    DECLARED = "declared"
    """Its first message is yet to come, and not overdue."""
    OVERDUE = "overdue"
    """Its first message should have come."""
    PAUSED = "paused"
    """Nothing is expected until an instant: not ok, but not judged."""
    RETIRED = "retired"
    """Nothing is expected any more."""
    RETURNED = "returned"
    """It was retired and sends again: expected as if it had never been retired."""
    UNKNOWN = "unknown"
    """What it sends came through a router that has stopped: it cannot be seen."""


@dataclass(frozen=True, slots=True)
class ExpectedFlow:
    """What was said about the flows of a scope. Instants are epoch seconds."""

    scope: Scope
    """`tenant` is always named."""
    declared_at: float
    expected_within_s: float | None = None
    """Longest pause between two messages, in the calendar's hours; None: as learned."""
    first_message_by: float | None = None
    """None: see `first_due_at`."""
    first_within_s: float = DEFAULT_FIRST_WITHIN_S
    """After the declaration, where no instant is given."""
    calendar: str | None = None
    """As `detect.calendars` reads it; None: always."""
    paused_until: float | None = None
    retired_at: float | None = None
    changed_at: float = 0.0
    changed_by: str = ""
    is_configured: bool = False
    """It stands in the configuration's file, and is changed there."""

    @property
    def first_due_at(self) -> float:
        """When the first message is overdue."""
        if self.first_message_by is not None:
            return self.first_message_by
        return self.declared_at + min(self.expected_within_s or math.inf, self.first_within_s)

    def has_returned(self, last_seen_at: float | None) -> bool:
        """Whether it was retired and sends again."""
        return (
            self.retired_at is not None
            and last_seen_at is not None
            and last_seen_at > self.retired_at + RETURNS_AFTER_S
        )

    def state(self, last_seen_at: float | None, now: float) -> FlowState:
        """What is expected, given its newest message."""
        if self.has_returned(last_seen_at):
            return FlowState.RETURNED
        if self.retired_at is not None:
            return FlowState.RETIRED
        if self.paused_until is not None and self.paused_until > now:
            return FlowState.PAUSED
        if last_seen_at is not None:
            return FlowState.SEEN
        return FlowState.OVERDUE if now > self.first_due_at else FlowState.DECLARED


class Changes(TypedDict, total=False):
    """What an edit says; what is left out stays as it was, None takes it away."""

    expected_within_s: float | None
    first_message_by: float | None
    first_message_within_s: float
    """After the declaration; in place of `first_message_by`."""
    calendar: str | None
    paused_until: float | None
    is_retired: bool


@dataclass(frozen=True, slots=True)
class FlowEdit:
    """A change of what is expected of one scope; made twice, it changes nothing more."""

    scope: Scope
    changes: Changes = field(default_factory=Changes)
    is_removal: bool = False
    """Take back all that was said about the scope: what was seen stays expected."""

    def apply(self, before: ExpectedFlow | None, actor: str, now: float) -> ExpectedFlow | None:
        """What holds after it; None: nothing is said about the scope."""
        if self.is_removal:
            return None
        base = before or ExpectedFlow(self.scope, now)
        changes = self.changes
        after = replace(
            base,
            expected_within_s=changes.get("expected_within_s", base.expected_within_s),
            first_message_by=changes.get("first_message_by", base.first_message_by),
            calendar=changes.get("calendar", base.calendar),
            paused_until=changes.get("paused_until", base.paused_until),
        )
        if "first_message_within_s" in changes:
            by = base.declared_at + changes["first_message_within_s"]
            after = replace(after, first_message_by=by)
        if "is_retired" in changes:
            retired_at = (base.retired_at or now) if changes["is_retired"] else None
            after = replace(after, retired_at=retired_at)
        return (
            base if before and after == base else replace(after, changed_at=now, changed_by=actor)
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """One edit as it was carried out."""

    scope: Scope
    before: ExpectedFlow | None
    after: ExpectedFlow | None

    @property
    def has_changed(self) -> bool:
        """Whether it made a difference."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Offboarded:
    """What an offboarding did."""

    retired: ExpectedFlow | None
    """What is said of the customer now."""
    closed: list[str]
    """Ids of the incidents that were closed."""


def narrowest(
    labels: Mapping[str, str], by_tenant: Mapping[str, list[ExpectedFlow]]
) -> ExpectedFlow | None:
    """Of all that was said, what says most about these labels: the scope with most names in it.

    Args:
        labels: of a flow, or of what flows add up to; a scope that names a label which is not
            there says nothing about it.
        by_tenant: all that was said, by customer.
    """
    said = [one for one in by_tenant.get(labels.get("tenant", ""), ()) if _holds(one.scope, labels)]
    return max(said, key=lambda one: sum(part is not None for part in one.scope), default=None)


def _holds(scope: Scope, labels: Mapping[str, str]) -> bool:
    pairs = scope._asdict().items()
    return all(part is None or labels.get(name) == part for name, part in pairs)
