"""What every notifier does, and the answers of HTTP services read the same way for all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Protocol

import httpx

from streamgauge.model.errors import NotifyError
from streamgauge.model.incident import Incident, TimelineEntry
from streamgauge.model.notification import Notification


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver answered when it took a notification."""

    text: str = ""


class Notifier(Protocol):
    """Tells one service. It keeps nothing and does not retry; who calls it limits its time."""

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        """Tell `incident` as it is now; the same `notification.id` may come more than once.

        Raises:
            NotifyError: it was not taken.
        """
        ...


class Refused(NotifyError):
    """The service answered, but did not take it."""

    def __init__(
        self, message: str, *, status: int, permanent: bool, retry_after_s: float | None
    ) -> None:
        super().__init__(message, permanent=permanent, retry_after_s=retry_after_s)
        self.status = status


def told_entry(notification: Notification, incident: Incident) -> TimelineEntry | None:
    """The transition that `notification` tells of; None where the timeline is not at hand."""
    number = notification.sequence
    return incident.timeline[number - 1] if 0 < number <= len(incident.timeline) else None


async def request(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    headers: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    json: object = None,
) -> httpx.Response:
    """One request; an answer that is not 2xx is raised.

    Raises:
        NotifyError: not reached, or not taken; permanent for what another try cannot change.
    """
    try:
        response = await client.request(method, url, headers=headers, params=params, json=json)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise NotifyError(f"the address cannot be used: {error}", permanent=True) from error
    except httpx.HTTPError as error:
        name = type(error).__name__
        raise NotifyError(f"{_host(url)} not reached: {name} {error}", permanent=False) from error
    if not response.is_success:
        raise _refusal(response, url)
    return response


def _refusal(response: httpx.Response, url: str) -> Refused:
    status = response.status_code
    # Source: RFC 9110, section 15: 408 and 429 ask for another try, as do errors of the server.
    is_temporary = status in {408, 425, 429} or status >= 500
    advice = ""
    if 300 <= status < 400:
        advice = "; it has moved: set `url` to its new address"
    elif status in {401, 403}:
        advice = "; check its key"
    message = f"{_host(url)} answered {status}: {_text_of(response)}{advice}"
    retry_after_s = _retry_after_s(response) if is_temporary else None
    return Refused(message, status=status, permanent=not is_temporary, retry_after_s=retry_after_s)


def _host(url: str) -> str:
    # Only the host: paths and user parts of webhooks are often the secret.
    return httpx.URL(url).host


def _text_of(response: httpx.Response) -> str:
    """What the service says is wrong, at most 300 characters."""
    try:
        body = response.json()
    except ValueError:
        body = None
    text = body.get("message") if isinstance(body, dict) else None
    return str(text or response.text or response.reason_phrase)[:300]


def _retry_after_s(response: httpx.Response) -> float | None:
    """Source: RFC 9110, section 10.2.3: seconds, or a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    sent = _date_of(response)
    return max(0.0, (at - sent).total_seconds()) if sent else None


def _date_of(response: httpx.Response) -> datetime | None:
    """The receiver's own time, so that its clock need not agree with ours."""
    try:
        return parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
