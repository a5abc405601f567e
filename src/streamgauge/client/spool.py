"""Batches on disk: they outlive the process that made them, and processes may share the folder.

A batch is written under another name and then renamed, so there is never half of one. Who sends it
holds a lock on its file, which the system takes back when that process ends in whatever way; so no
two processes send one at the same time, and what a killed process left is sent by the next one. A
file goes when its batch was taken or refused. A crash between the server's answer and that makes it
be sent once more, under the same key, by which the server knows it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from streamgauge.client.batch import Batch
from streamgauge.client.losses import Loss, Losses
from streamgauge.client.waiting import Claim, InMemory

SUFFIX, UNFINISHED, BROKEN = ".batch", ".unfinished", ".broken"
ABANDONED_S = 3_600.0
"""An unfinished file this old was left by a process that was killed while it wrote."""


class Spool:
    """A folder of batches, oldest first by name.

    Args:
        folder: made if it is not there.
        max_bytes: of all batches in it, whoever wrote them.
        losses: told which were given up.
    """

    def __init__(self, folder: Path, max_bytes: int, losses: Losses) -> None:
        self._folder, self._max_bytes, self._losses = folder, max_bytes, losses
        self._without_disk = InMemory(max_bytes // 4, losses)
        self._held: set[int] = set()
        self._last_ns = 0
        self._sweep()

    def put(self, batch: Batch) -> None:
        """Write one; where the disk does not take it, keep it in memory."""
        self._last_ns = max(time.time_ns(), self._last_ns + 1)
        path = self._folder / f"{self._last_ns:020d}-{batch.key}{SUFFIX}"
        unfinished = path.with_suffix(UNFINISHED)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(batch.encode())
            unfinished.rename(path)
        except OSError as error:
            self._losses.say("spool", f"cannot write to the spool {self._folder}: {error}")
            self._without_disk.put(batch)
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            return
        self._make_room(path)

    def claims(self) -> Iterator[Claim]:
        """What waits now and nobody else sends, oldest first; then what the disk did not take."""
        for path in self._list():
            claim = self._claim(path)
            if claim is not None:
                yield claim
        yield from self._without_disk.claims()

    def forget(self) -> None:
        """Let go of the parent's claims, which stay its own; the files are everybody's."""
        for descriptor in self._held:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._held.clear()
        self._without_disk.forget()

    def _list(self) -> list[Path]:
        try:
            return sorted(self._folder.glob(f"*{SUFFIX}"))
        except OSError:
            return []

    def _claim(self, path: Path) -> _FileClaim | None:
        """None where another one sends it, or has sent it since it was listed."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        self._held.add(descriptor)
        claim = _FileClaim(path, descriptor, self._held)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.fstat(descriptor).st_nlink:
                claim.release()
                return None
            with open(descriptor, "rb", closefd=False) as file:
                claim.batch = Batch.decode(file.read())
        except OSError:
            claim.release()
            return None
        except ValueError as error:
            self._set_aside(claim, error)
            return None
        return claim

    def _set_aside(self, claim: _FileClaim, error: ValueError) -> None:
        """A damaged file must not stop the others; it is kept for people."""
        path = claim.path
        with contextlib.suppress(OSError):
            path.rename(path.with_suffix(BROKEN))
        claim.release()
        self._losses.say("broken", f"{path} is damaged ({error}) and was set aside")

    def _make_room(self, newest: Path) -> None:
        sizes = {path: size for path in self._list() if (size := _size_of(path))}
        excess = sum(sizes.values()) - self._max_bytes
        for path, size in sizes.items():
            if excess <= 0 or path == newest:
                return
            claim = self._claim(path)
            if claim is not None:
                excess -= size
                claim.done()
                text = f"the spool {self._folder} is full; the oldest batches are given up"
                self._losses.add(Loss.LOST_MESSAGES, claim.batch.messages, text)

    def _sweep(self) -> None:
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{UNFINISHED}"):
                if time.time() - path.stat().st_mtime > ABANDONED_S:
                    path.unlink(missing_ok=True)


class _FileClaim:
    """Holds the lock on a batch's file."""

    batch: Batch

    def __init__(self, path: Path, descriptor: int, held: set[int]) -> None:
        self.path, self._descriptor, self._held = path, descriptor, held

    def done(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        if self._descriptor in self._held:
            self._held.discard(self._descriptor)
            os.close(self._descriptor)


def _size_of(path: Path) -> int:
    """Bytes; 0 for a file that has gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
