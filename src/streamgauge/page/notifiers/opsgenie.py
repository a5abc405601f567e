"""Opsgenie, and whatever speaks its Alert API.

The alias is the incident's id, by which Opsgenie folds repeats into one alert while it is open, so
that telling it twice (killed between sending and recording) still is one alert. Growth is a new
priority and a note, not a second creation.

Source: Opsgenie, Alert API, https://docs.opsgenie.com/docs/alert-api (fields and their limits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from streamgauge.model.change import Action
from streamgauge.model.clock import rfc3339
from streamgauge.model.incident import Incident
from streamgauge.model.notification import Notification
from streamgauge.page.notifiers.base import Receipt, Refused, request, told_entry

SOURCE = "streamgauge"
MESSAGE_CHARACTERS = 130
DESCRIPTION_CHARACTERS = 15_000
TAG_CHARACTERS = 50
DETAILS_CHARACTERS = 8_000
ENTITY_CHARACTERS = 512
NOTE_CHARACTERS = 25_000


@dataclass(frozen=True, slots=True)
class OpsgenieSettings:
    """Where it is, and the key of an API integration there."""

    url: str = "https://api.opsgenie.com"
    """The service's base; `/v2/alerts` is added."""
    api_key: str = field(default="", repr=False)


class Opsgenie:
    """Creates, updates and closes one alert an incident."""

    def __init__(self, settings: OpsgenieSettings, client: httpx.AsyncClient) -> None:
        self._alerts = settings.url.rstrip("/") + "/v2/alerts"
        self._headers = {"Authorization": f"GenieKey {settings.api_key}"}
        self._client = client

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        """See `Notifier`."""
        if notification.action is Action.CREATE:
            return await self._post(self._alerts, alert_of(incident))
        entry = told_entry(notification, incident)
        note = {
            "user": entry.actor if entry else SOURCE,
            "source": SOURCE,
            "note": shortened(entry.reason if entry else incident.summary, NOTE_CHARACTERS),
        }
        if notification.action is Action.CLOSE:
            return await self._close(incident, note)
        # The priority first: setting it twice is setting it once, a note twice is two notes.
        await self._send("PUT", self._of(incident, "priority"), {"priority": incident.severity})
        return await self._post(self._of(incident, "notes"), note)

    async def _close(self, incident: Incident, note: dict[str, str]) -> Receipt:
        try:
            return await self._post(self._of(incident, "close"), note)
        except Refused as error:
            if error.status == 404:
                return Receipt("404: it has no such alert, so there is none to close")
            raise

    def _of(self, incident: Incident, what: str) -> str:
        return f"{self._alerts}/{quote(incident.id, safe='')}/{what}"

    async def _post(self, url: str, body: Mapping[str, object]) -> Receipt:
        return await self._send("POST", url, body)

    async def _send(self, method: str, url: str, body: Mapping[str, object]) -> Receipt:
        by_alias = {} if url == self._alerts else {"identifierType": "alias"}
        response = await request(
            self._client, method, url, headers=self._headers, params=by_alias, json=body
        )
        return Receipt(f"{response.status_code}: {_request_id(response)}")


def _request_id(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return "taken"
    return f"request {body['requestId']}" if "requestId" in body else "taken"


def alert_of(incident: Incident) -> dict[str, object]:
    """The body of `POST /v2/alerts`."""
    scope = incident.scope
    return {
        "message": shortened(incident.summary, MESSAGE_CHARACTERS),
        "alias": incident.id,
        "description": shortened(_description(incident), DESCRIPTION_CHARACTERS),
        "priority": incident.severity.value,
        "source": SOURCE,
        "entity": shortened(scope.describe(), ENTITY_CHARACTERS),
        "tags": [
            shortened(tag, TAG_CHARACTERS)
            for tag in (SOURCE, incident.kind.value, f"suspected:{incident.suspected}")
        ],
        "details": _details(incident),
    }


def _description(incident: Incident) -> str:
    lines = [
        incident.summary,
        f"Since {rfc3339(incident.since)}; opened {rfc3339(incident.opened_at)}.",
        f"Whose side it is on: {incident.suspected}.",
    ]
    if len(incident.affected) > 1:
        lines.append(f"Affects {len(incident.affected)} customers: {', '.join(incident.affected)}")
    return "\n".join(lines)


def _details(incident: Incident) -> dict[str, str]:
    """Scope and evidence as strings, as many of them as the limit on all together takes."""
    scope = {name: value for name, value in incident.scope._asdict().items() if value}
    named = {"kind": incident.kind.value, "suspected": incident.suspected.value, **scope}
    details: dict[str, str] = {}
    room = DETAILS_CHARACTERS
    for name, value in {**named, **incident.evidence}.items():
        text = _in_words(value)
        room -= len(name) + len(text)
        if room < 0:
            break
        details[name] = text
    return details


def _in_words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "unknown" if value is None else str(value)


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters; an ellipsis says that there was more."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
