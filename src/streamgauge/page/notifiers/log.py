"""A line in our own log: the notifier that cannot be misconfigured."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from streamgauge.model.incident import Incident
from streamgauge.model.notification import Notification
from streamgauge.page.notifiers.base import Receipt, told_entry


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Nothing to set."""


class Log:
    """Writes one line a notification."""

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        """See `Notifier`; never fails."""
        entry = told_entry(notification, incident)
        structlog.get_logger(__name__).warning(
            "incident",
            action=notification.action.value,
            incident_id=incident.id,
            severity=incident.severity.value,
            kind=incident.kind.value,
            summary=incident.summary,
            suspected=incident.suspected.value,
            reason=entry.reason if entry else "",
        )
        return Receipt("logged")
