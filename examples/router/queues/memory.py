"""The queue in this process: nothing to install, nothing survives a restart."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence

from examples.router.clock import Clock
from examples.router.message import Message
from examples.router.queues import DEAD_LETTER, Depth, QueueFull, Taken
from examples.router.queues.counts import Counts

DEAD_LETTERS_KEPT = 10_000


class MemoryQueue:
    """Bounded first-in first-out queues; dead letters beyond 10,000 push the oldest out."""

    def __init__(self, clock: Clock, max_waiting: int = 200_000) -> None:
        self._clock = clock
        self._max_waiting = max_waiting
        self._waiting: dict[str, deque[Message]] = {}
        self._counts: dict[str, Counts] = {}
        self._filled: dict[str, asyncio.Event] = {}

    async def open(self, names: Sequence[str]) -> None:
        """Make these queues and the dead-letter."""
        for name in (*names, DEAD_LETTER):
            bound = DEAD_LETTERS_KEPT if name == DEAD_LETTER else None
            self._waiting[name] = deque(maxlen=bound)
            self._counts[name] = Counts(consumers=int(name != DEAD_LETTER))
            self._filled[name] = asyncio.Event()

    async def put(self, messages: Sequence[Message], name: str | None = None) -> None:
        """Keep all messages or none."""
        adding = Counter(name or one.integration for one in messages)
        for target, count in adding.items():
            if target != DEAD_LETTER and len(self._waiting[target]) + count > self._max_waiting:
                raise QueueFull(f"queue {target} holds {self._max_waiting} messages, its limit")
        for one in messages:
            self._waiting[name or one.integration].append(one)
        for target, count in adding.items():
            self._counts[target].put(count)
            self._filled[target].set()

    async def take(self, name: str, limit: int) -> list[Taken]:
        """Up to `limit` messages, waiting for the first."""
        waiting, filled = self._waiting[name], self._filled[name]
        while not waiting:
            filled.clear()
            await filled.wait()
        now = self._clock.now()
        taken = [Taken(waiting.popleft(), now, None) for _ in range(min(limit, len(waiting)))]
        self._counts[name].taken(len(taken), taken[-1].message.queued_at)
        return taken

    async def acknowledge(self, name: str, taken: Sequence[Taken]) -> None:
        """These are dealt with."""
        self._counts[name].acknowledged(len(taken))

    async def depths(self) -> dict[str, Depth]:
        """Exact: the oldest message can be looked at."""
        now = self._clock.now()
        for name, waiting in self._waiting.items():
            if waiting:
                self._counts[name].head_at = waiting[0].queued_at
        return {
            name: counts.depth(len(self._waiting[name]), now)
            for name, counts in self._counts.items()
        }

    async def close(self) -> None:
        """Nothing to close."""
