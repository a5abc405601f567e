"""Which notifiers an incident's change goes to, and why (or why not). Pure.

Without anything configured, every incident of P1 to P3 goes to every notifier.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from streamgauge.model.change import Action, Change, Route
from streamgauge.model.words import Severity

DEFAULT_SEVERITIES: frozenset[Severity] = frozenset({Severity.P1, Severity.P2, Severity.P3})
"""What wakes someone where nothing else is configured."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One `[[notify]]`, as far as routing knows it."""

    name: str
    severities: frozenset[Severity] = DEFAULT_SEVERITIES


@dataclass(frozen=True, slots=True)
class Router:
    """Routes by severity; called with a change and the notifiers that have its incident.

    1. An opening goes to every recipient that takes its severity.
    2. An update goes to those that have the incident; to others that take its severity now, it is
       the opening.
    3. A closing goes to those that have the incident, whatever its severity is by now.
    """

    recipients: Sequence[Recipient]

    def __call__(self, change: Change, told: Set[str]) -> list[Route]:
        """One route a recipient that is asked; none for a change that is told to nobody."""
        if change.notify is None:
            return []
        routes = [
            _route(recipient, change, change.notify, recipient.name in told)
            for recipient in self.recipients
        ]
        return [route for route in routes if route]


def _route(recipient: Recipient, change: Change, action: Action, is_told: bool) -> Route | None:
    name, severity = recipient.name, change.incident.severity
    if is_told and action is not Action.CREATE:
        return Route(name, action, is_sent=True, reason="was told of it before")
    if action is Action.CLOSE:
        return None
    if severity in recipient.severities:
        return Route(name, Action.CREATE, is_sent=True, reason=f"takes {severity}")
    if action is Action.UPDATE:
        return None
    takes = ", ".join(sorted(recipient.severities)) or "nothing"
    return Route(name, action, is_sent=False, reason=f"is {severity}; {name} takes {takes}")
