"""What the demonstration asks streamgauge: the documented JSON API and nothing else."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]


class Gauge:
    """A client of one streamgauge."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False)

    async def find_unready_reason(self) -> str | None:
        """Why it cannot be used yet; None once it can."""
        try:
            answer = await self.client.get("/ready")
        except httpx.TransportError:
            return "it does not listen yet"
        return None if answer.status_code == 200 else answer.text[:300]

    async def overview(self, from_s: float, to_s: float) -> Json:
        """The key metrics of a range, epoch seconds."""
        answer = await self.client.get("/api/v1/overview", params={"from": from_s, "to": to_s})
        answer.raise_for_status()
        content: Json = answer.json()
        return content

    async def incidents(self) -> list[Json]:
        """All incidents, newest first."""
        answer = await self.client.get("/api/v1/incidents")
        answer.raise_for_status()
        content: list[Json] = answer.json()["incidents"]
        return content
