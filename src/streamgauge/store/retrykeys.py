"""Remembers for a day, over restarts, the keys by which a sender's retry is known.

Keys are kept by the hour they came in: a set in memory and a file of fixed-size records beside the
journal. Whole hours are forgotten when they are a day old, or, oldest first, when there are too
many.
"""

from __future__ import annotations

import errno
import os
from hashlib import blake2b
from pathlib import Path

KEY_BYTES = 16
REMEMBERED_S = 86_400.0
_PATTERN = "keys-*.log"


def digest(retry_key: bytes) -> bytes:
    """A key of any length as 16 bytes."""
    return blake2b(retry_key, digest_size=KEY_BYTES).digest()


class RetryKeys:
    """Not thread-safe: the journal's lock guards it."""

    def __init__(self, folder: Path, max_count: int) -> None:
        self._folder, self._max_count = folder, max_count
        self._hours: dict[int, set[bytes]] = {}
        self._open_hour = -1
        self._file_descriptor = -1

    def load(self, now: float) -> None:
        """Read what was remembered before `now`; a torn last record is left out."""
        for path in sorted(self._folder.glob(_PATTERN)):
            content = path.read_bytes()
            whole = len(content) - len(content) % KEY_BYTES
            keys = {content[at : at + KEY_BYTES] for at in range(0, whole, KEY_BYTES)}
            self._hours[int(path.stem.removeprefix("keys-"))] = keys
            if whole < len(content):
                os.truncate(path, whole)
        self._forget(now)

    def __contains__(self, key: bytes) -> bool:
        return any(key in keys for keys in self._hours.values())

    def __len__(self) -> int:
        return sum(map(len, self._hours.values()))

    def add(self, key: bytes, received_at: float) -> None:
        """Remember a key that came at `received_at` (epoch seconds)."""
        hour = int(received_at // 3600)
        if hour not in self._hours:
            self._hours[hour] = set()
            self._forget(received_at)
        if key in self._hours.setdefault(hour, set()):
            return
        self._hours[hour].add(key)
        self._log(key, hour)
        if len(self) > self._max_count and len(self._hours) > 1:
            self._drop(min(self._hours))

    def _log(self, key: bytes, hour: int) -> None:
        descriptor = self._descriptor_of(hour)
        try:
            is_whole = os.write(descriptor, key) == KEY_BYTES
        finally:
            size = os.fstat(descriptor).st_size
            if size % KEY_BYTES:  # a full disk took part of it
                os.ftruncate(descriptor, size - size % KEY_BYTES)
        if not is_whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        """Make what was added survive a power cut: the journal is about to forget it."""
        if self._file_descriptor >= 0:
            os.fdatasync(self._file_descriptor)

    def close(self) -> None:
        """Close the open file."""
        if self._file_descriptor >= 0:
            os.close(self._file_descriptor)
        self._file_descriptor, self._open_hour = -1, -1

    def _descriptor_of(self, hour: int) -> int:
        if hour != self._open_hour:
            self.close()
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file_descriptor = os.open(self._path_of(hour), flags, 0o640)
            self._open_hour = hour
        return self._file_descriptor

    def _forget(self, now: float) -> None:
        oldest_kept = int((now - REMEMBERED_S) // 3600)
        for hour in [hour for hour in self._hours if hour < oldest_kept]:
            self._drop(hour)

    def _drop(self, hour: int) -> None:
        del self._hours[hour]
        if hour == self._open_hour:
            self.close()
        self._path_of(hour).unlink(missing_ok=True)

    def _path_of(self, hour: int) -> Path:
        return self._folder / f"keys-{hour:09d}.log"
