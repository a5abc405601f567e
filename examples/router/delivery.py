"""One request to a vendor, and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from examples.router.message import Message

REASONS = {401: "unauthorized", 403: "forbidden", 408: "timeout", 413: "too_large"}
SHOWN_CHARACTERS = 200
"""Of what a vendor says."""
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request went."""

    reason: str = ""
    """Empty: the vendor took the batch, but for the `rejected` ones."""
    is_transient: bool = False
    """Whether trying again can help."""
    retry_after_s: float = 0.0
    """What the vendor asked to wait."""
    rejected: frozenset[int] = frozenset()
    """Positions within the batch that the vendor refused for good."""
    error: str = field(default="", compare=False)
    """What happened, in words."""


class VendorClient:
    """Sends batches to one integration's vendor."""

    def __init__(self, client: httpx.AsyncClient, base_url: str, integration: str) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/{integration}/events"

    async def send(self, tenant: str, batch: Sequence[Message]) -> Answer:
        """Send the events of one tenant; never raises for what a vendor or network does."""
        body = json.dumps([one.event for one in batch], separators=(",", ":"))
        headers = {"x-tenant": tenant, "content-type": "application/json"}
        try:
            response = await self._client.post(self._url, content=body, headers=headers)
        except httpx.TimeoutException as error:
            told = f"no answer from {self._url}: {type(error).__name__}"
            return Answer("timeout", is_transient=True, error=told)
        except httpx.TransportError as error:
            told = f"{self._url} is not reached: {error}"
            return Answer("unreachable", is_transient=True, error=told)
        return understand(response)


def understand(response: httpx.Response) -> Answer:
    """What a vendor's response means for the batch."""
    status = response.status_code
    if status == 429:
        wait_s = float(response.headers.get("retry-after", 1))
        told = f"status 429, to be tried again in {wait_s:g} s"
        return Answer("rate_limited", is_transient=True, retry_after_s=wait_s, error=told)
    if response.is_success:
        rejected = frozenset(response.json().get("rejected", ()))
        return Answer(rejected=rejected, error="the vendor refused this event of the batch")
    told = f"status {status}: {response.text[:SHOWN_CHARACTERS]}"
    reason = REASONS.get(status, f"http_{status}")
    return Answer(reason, is_transient=status in TRANSIENT, error=told)
