"""Any program that takes JSON by POST: the incident as the API shows it, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from streamgauge.model.incident import Incident, replay_shape
from streamgauge.model.notification import Notification
from streamgauge.page.notifiers.base import Receipt, request, told_entry


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where to post; neither address nor headers are shown, as both may hold secrets."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Webhook:
    """Posts every change; `Idempotency-Key` is the same over all attempts of one."""

    def __init__(self, settings: WebhookSettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._client = client

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        """See `Notifier`."""
        response = await request(
            self._client,
            "POST",
            self._settings.url,
            headers={**self._settings.headers, "Idempotency-Key": notification.id},
            json=event_of(notification, incident),
        )
        return Receipt(str(response.status_code))


def event_of(notification: Notification, incident: Incident) -> dict[str, object]:
    """The body: the replay shape plus `state`, `affected`, `action`, `reason` and `event_id`."""
    entry = told_entry(notification, incident)
    return {
        **replay_shape(incident),
        "state": incident.state.value,
        "affected": list(incident.affected),
        "action": notification.action.value,
        "reason": entry.reason if entry else "",
        "event_id": notification.id,
    }
