"""The newest retry keys: a set in memory, and a log of fixed-size records on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

KEY_BYTES = 16
ROOM_BYTES = 1 << 14
"""Disk space is asked for in steps of this size, before a body is kept."""
_SUFFIX = ".log"


class KeyLog:
    """One file `keys-HOUR-NUMBER.log`; older ones without a number are read as well.

    Room is reserved as zeros after the last key, so that writing a key down cannot fail for want
    of space once its body is kept.
    """

    def __init__(self, folder: Path, hour: int, number: int, path: Path | None = None) -> None:
        """Take up `path`, or be a file that `make_room` makes."""
        self.hour, self.number = hour, number
        self.path = path or folder / _name(hour, number)
        content = path.read_bytes().rstrip(b"\0") if path else b""
        content += bytes(-len(content) % KEY_BYTES)
        self.keys = {content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)}
        self._written_bytes = len(content)
        self._unwritten: list[bytes] = []
        self._room_bytes = self._written_bytes
        self._descriptor = -1

    @staticmethod
    def found(folder: Path) -> Iterator[KeyLog]:
        """The logs that former processes left."""
        for path in folder.glob(f"keys-*{_SUFFIX}"):
            hour, _, number = path.stem.removeprefix("keys-").partition("-")
            yield KeyLog(folder, int(hour), int(number or 0), path)

    def make_room(self) -> None:
        """Reserve disk space for what was added, and a key more.

        Raises:
            OSError: the disk refused.
        """
        needed = self._written_bytes + (len(self._unwritten) + 1) * KEY_BYTES
        if needed <= self._room_bytes:
            return
        size = -(-needed // ROOM_BYTES) * ROOM_BYTES
        os.posix_fallocate(self._opened(), 0, size)
        self._room_bytes = size

    def add(self, key: bytes) -> None:
        """Remember a key; one that cannot be written now is written by `sync`."""
        self.keys.add(key)
        self._unwritten.append(key)
        if self._written_bytes + len(self._unwritten) * KEY_BYTES <= self._room_bytes:
            self._write()

    def _write(self) -> None:
        content = b"".join(self._unwritten)
        written = os.pwrite(self._opened(), content, self._written_bytes)
        if written == len(content):
            self._unwritten.clear()
            self._written_bytes += written

    def sync(self) -> None:
        """Make all keys survive a power cut.

        Raises:
            OSError: the disk refused.
        """
        if self._unwritten:
            self.make_room()
            self._write()
        if self.keys:
            os.fdatasync(self._opened())

    def rename(self, hour: int) -> None:
        """Let it count as of another hour.

        Raises:
            OSError: the disk refused.
        """
        path = self.path.with_name(_name(hour, self.number))
        if self.path.exists():
            self.path.replace(path)
        self.hour, self.path = hour, path

    def close(self) -> None:
        """Give the unused room and the file back."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, self._written_bytes)
            os.close(self._descriptor)
        self._descriptor = -1
        self._room_bytes = self._written_bytes

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o640)
        return self._descriptor


def _name(hour: int, number: int) -> str:
    return f"keys-{hour:09d}-{number:06d}{_SUFFIX}"
