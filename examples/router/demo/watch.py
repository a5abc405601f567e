"""Follows what streamgauge says: tells each incident's opening and closing once."""

from __future__ import annotations

import time
from collections import defaultdict

import httpx
from examples.router.demo.gauge import Gauge, Json
from examples.router.demo.terminal import Terminal

WINDOW_S = 60.0


class Watch:
    """What has been seen of the incidents so far."""

    def __init__(self, gauge: Gauge, terminal: Terminal) -> None:
        self._gauge, self._terminal = gauge, terminal
        self._told: set[tuple[str, bool]] = set()
        self.incidents: list[Json] = []
        self.named: dict[str, set[str]] = defaultdict(set)
        """Incident id → every customer it has ever named as affected."""

    async def look(self, note: str) -> None:
        """Ask once and tell what is new; a slow or failing answer is told, too."""
        now = time.time()
        try:
            overview = await self._gauge.overview(now - WINDOW_S, now)
            self.incidents = await self._gauge.incidents()
        except httpx.HTTPError as error:
            self._terminal.say(f"streamgauge does not answer: {error!r}")
            return
        for incident in reversed(self.incidents):
            self._tell(incident)
        is_open = [one for one in self.incidents if not one["closed_at"]]
        self._terminal.now(overview, is_open, note)

    def _tell(self, incident: Json) -> None:
        is_closed = incident["closed_at"] is not None
        key = (incident["id"], is_closed)
        affected = set(incident.get("affected") or ())
        if key not in self._told:
            ever = {"affected": sorted(affected | self.named[incident["id"]])}
            self._terminal.incident(incident | ever, "closed" if is_closed else "opened")
        elif affected - self.named[incident["id"]]:
            self._terminal.say(f"more are affected: {incident['summary']}")
        self._told.add(key)
        self.named[incident["id"]] |= affected

    def has_closed_all(self, count: int) -> bool:
        """Whether at least `count` incidents were opened and none is open any more."""
        closed = [one for one in self.incidents if one["closed_at"]]
        return len(closed) == len(self.incidents) >= count
