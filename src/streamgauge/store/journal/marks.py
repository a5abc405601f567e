"""A second copy of the journal's borders and `done` frames, in a small file of its own.

A border that cannot be read back would have its segment cut anew, and what of it was inserted
before the crash would count twice. So one damaged block must not reach both copies.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from streamgauge.model.whole import replace_whole
from streamgauge.store.journal.records import Frame, Kind, find_frame, frame, read_frames

NAME = "marks"
MAX_BYTES = 1 << 14
"""A file this large is begun anew, with the frames that still matter."""


class Marks:
    """Not thread-safe: the journal's lock guards it."""

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._path, self._fsync = folder / NAME, fsync
        self._descriptor = -1
        self._size = 0
        self._borders: list[tuple[int, bytes]] = []
        """Last body and frame of each border that is not done."""

    def read_back(self) -> Iterator[Frame]:
        """The frames of a former process; damaged ones are passed over."""
        if not self._path.exists():
            return
        with self._path.open("rb") as stream:
            end = 0
            while True:
                for each in read_frames(stream):
                    end = each.offset + each.length
                    yield each
                if not find_frame(stream, end + 1):
                    return

    def append(self, kind: Kind, number: int, second: int, payload: bytes) -> None:
        """Write a frame.

        Raises:
            OSError: the disk refused.
        """
        content = frame(kind, number, second, payload) + payload
        if kind is Kind.BORDER:
            self._borders.append((second, content))
        else:
            self._borders = [each for each in self._borders if each[0] > number]
            if self._size > MAX_BYTES:
                self._begin_anew(b"".join([content, *(border for _, border in self._borders)]))
                return
        self._write(content)

    def _write(self, content: bytes) -> None:
        descriptor = self._opened()
        try:
            _write_all(descriptor, content, self._size)
            if self._fsync:
                os.fdatasync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self._size)
            raise
        self._size += len(content)

    def _begin_anew(self, content: bytes) -> None:
        replace_whole(self._path, content, fsync=self._fsync)
        self.close()

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
            self._size = os.fstat(self._descriptor).st_size
        return self._descriptor

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
        self._descriptor = -1


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    while content:
        written = os.pwrite(descriptor, content, offset)
        content, offset = content[written:], offset + written
