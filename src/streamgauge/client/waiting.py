"""Where batches wait until they are taken: in memory, bounded; `spool` keeps them on disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from streamgauge.client.batch import Batch
from streamgauge.client.losses import Loss, Losses


class Claim(Protocol):
    """A batch that nobody else sends now."""

    batch: Batch

    def done(self) -> None:
        """It is off our hands."""
        ...

    def release(self) -> None:
        """It has to be sent again."""
        ...


class Waiting(Protocol):
    """Batches on their way."""

    def put(self, batch: Batch) -> None:
        """Keep one; the oldest go, and are counted as lost, where there is no more room."""
        ...

    def claims(self) -> Iterator[Claim]:
        """What waits now, oldest first, one after the other."""
        ...

    def forget(self) -> None:
        """In a process that was forked: what waits belongs to the parent."""
        ...


class InMemory:
    """Batches of this process; a crash loses them."""

    def __init__(self, max_bytes: int, losses: Losses) -> None:
        self._max_bytes, self._losses = max_bytes, losses
        self._batches: deque[Batch] = deque()
        self.forget()

    def put(self, batch: Batch) -> None:
        """Keep one."""
        with self._lock:
            self._batches.append(batch)
            self._size_bytes += len(batch.body)
            lost = []
            while self._size_bytes > self._max_bytes and len(self._batches) > 1:
                lost.append(self._pop(0))
        for one in lost:
            text = f"{self._max_bytes:,} bytes wait for the server; the oldest are given up"
            self._losses.add(Loss.LOST_MESSAGES, one.messages, text)

    def claims(self) -> Iterator[Claim]:
        """What waits now."""
        with self._lock:
            listed = list(self._batches)
        for batch in listed:
            with self._lock:
                is_there = any(one is batch for one in self._batches)
            if is_there:
                yield _InMemoryClaim(batch, self)

    def remove(self, batch: Batch) -> None:
        """It was taken or refused; it may have lost its place meanwhile."""
        with self._lock:
            for position, one in enumerate(self._batches):
                if one is batch:
                    self._pop(position)
                    return

    def forget(self) -> None:
        """Begin anew."""
        self._lock = threading.Lock()
        self._batches.clear()
        self._size_bytes = 0

    def _pop(self, position: int) -> Batch:
        batch = self._batches[position]
        del self._batches[position]
        self._size_bytes -= len(batch.body)
        return batch


class _InMemoryClaim:
    def __init__(self, batch: Batch, waiting: InMemory) -> None:
        self.batch, self._waiting = batch, waiting

    def done(self) -> None:
        self._waiting.remove(self.batch)

    def release(self) -> None:
        pass
