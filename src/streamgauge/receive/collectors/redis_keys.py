"""Finds keys of one type in a key space of any size, a bounded part at each look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from redis.asyncio import Redis

SCANNED_A_CALL = 1000
CALLS_A_LOOK = 20
"""A key space of a million keys is walked in 50 looks."""
REMEMBERED_S = 86_400.0
MAX_REMEMBERED = 5_000
"""Lists made for a single answer must not be asked for ever."""


@dataclass(slots=True)
class Walk:
    """Through all keys, again and again."""

    kind: str
    """`stream`, `list`."""
    cursor: int = 0
    known: set[str] = field(default_factory=set)
    """Of the last whole walk, and those found since."""
    found: set[str] = field(default_factory=set)
    """On this walk."""

    async def go_on(self, redis: Redis) -> None:
        """Some calls further, at most to the end of the walk."""
        for _ in range(CALLS_A_LOOK):
            cursor, keys = await redis.scan(self.cursor, count=SCANNED_A_CALL, _type=self.kind)
            self.take(int(cursor), [str(key) for key in keys])
            if not cursor:
                break

    def take(self, cursor: int, keys: list[str]) -> None:
        """One answer of SCAN; at the end of a walk, what was not met again is forgotten."""
        self.cursor = cursor
        self.found.update(keys)
        self.known |= self.found
        if cursor == 0:
            self.known, self.found = self.found, set()


@dataclass(slots=True)
class Remembered:
    """Names that were met within the last day."""

    last_at: dict[str, float] = field(default_factory=dict)

    def with_those(self, names: Iterable[str], now: float) -> set[str]:
        """These, and those met before; of too many, those not met for longest are forgotten.

        Args:
            names: met now.
            now: epoch seconds.
        """
        for name in names:
            self.last_at.pop(name, None)
            self.last_at[name] = now
        for name in list(self.last_at):
            is_old = now - self.last_at[name] > REMEMBERED_S
            if not is_old and len(self.last_at) <= MAX_REMEMBERED:
                break
            del self.last_at[name]
        return set(self.last_at)
