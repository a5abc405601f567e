"""Virtual time for coroutines, and a reader of line protocol."""

from __future__ import annotations

import asyncio
import heapq
import re
from dataclasses import dataclass

SETTLE_TURNS = 60
START_AT = 1_795_500_000.0
"""A Tuesday, 06:00 UTC, whole in every unit used here."""


class VirtualClock:
    """Stands still until it is advanced; sleepers wake in order."""

    def __init__(self, now: float = START_AT) -> None:
        self._now = now
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = 0

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._order += 1
        sleeper = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + max(seconds, 0), self._order, sleeper))
        await sleeper

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, one sleeper at a time."""
        until = self._now + seconds
        await self._settle()
        while self._sleepers and self._sleepers[0][0] <= until:
            at, _, sleeper = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            if not sleeper.done():
                sleeper.set_result(None)
                await self._settle()
        self._now = until

    @staticmethod
    async def _settle() -> None:
        for _ in range(SETTLE_TURNS):
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report."""

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float]
    time_ns: int


def parse(text: str) -> list[Line]:
    """Lines without escapes: the names of the fleet need none."""
    return [_parse_line(line) for line in text.splitlines()]


def _parse_line(line: str) -> Line:
    key, fields, stamp = line.split(" ")
    measurement, *tags = key.split(",")
    pairs = (field.split("=") for field in fields.split(","))
    return Line(
        measurement,
        dict(tag.split("=") for tag in tags),
        {name: float(re.sub("i$", "", value)) for name, value in pairs},
        int(stamp),
    )
