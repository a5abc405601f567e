"""What became of an incident in one step, and whom it is told to.

Decisions return a reason, never a bare yes or no: `alert` makes changes, `page` routes them,
`state` keeps both in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from streamgauge.model.incident import Incident, TimelineEntry


class Action(StrEnum):
    """What a notifier is asked to do with an incident."""

    CREATE = "create"
    UPDATE = "update"
    CLOSE = "close"


class ChangeReason(StrEnum):
    """Why an incident changed."""

    FIRST_EVIDENCE = "first_evidence"
    CAME_AGAIN = "came_again"
    """The same trouble, soon after it closed: the same incident again."""
    WORSE_SINCE_CLOSED = "worse_since_closed"
    """Closed by hand while it went on, and its severity has risen since."""
    SEVERITY_ROSE = "severity_rose"
    SEVERITY_FELL = "severity_fell"
    AFFECTS_MORE = "affects_more"
    REFRESHED = "refreshed"
    """Its words and numbers are newer; nothing to tell."""
    OVER = "over"
    """The detector saw that it is over."""
    NOT_TOLD = "not_told"
    """No detector tells it any more."""
    PART_OF_PARENT = "part_of_parent"
    """A larger incident explains it."""
    HOLD_ENDED = "hold_ended"
    """Closed by hand before; now the trouble itself is over too."""
    BY_HAND = "by_hand"
    """A person did it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of an incident."""

    incident: Incident
    """As it is after the step."""
    reason: ChangeReason
    entry: TimelineEntry | None
    """What its timeline gains; None for a mere refresh."""
    notify: Action | None = None
    """What those who are told of it are told now."""


@dataclass(frozen=True, slots=True)
class Route:
    """Whether a notifier is told of a change, and why."""

    notifier: str
    """Its name in the configuration."""
    action: Action
    is_sent: bool
    reason: str


Routing = Callable[[Change, Set[str]], Sequence[Route]]
"""Asked with a change and the notifiers that were told to create its incident."""
