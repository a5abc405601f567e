"""The journal's files: frames appended whole or not at all, finished files deleted."""

from __future__ import annotations

import contextlib
import errno
import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import structlog

from streamgauge.model.errors import StoreError
from streamgauge.store.journal.damage import Damage
from streamgauge.store.journal.records import HEADER, Frame, Kind, find_frame, frame, read_frames

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class File:
    """One file, named by the first body it may hold."""

    path: Path
    last_seq: int
    """The last body in it; one less than its name while there is none."""
    size: int = 0


class JournalFiles:
    """Not thread-safe: the journal's lock guards it."""

    def __init__(self, folder: Path, fsync: bool, file_max_bytes: int, damage: Damage) -> None:
        self.folder, self._fsync, self.file_max_bytes = folder, fsync, file_max_bytes
        self._files: deque[File] = deque()
        self._descriptor = -1
        self._damage = damage

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self._files)

    @property
    def count(self) -> int:
        """Files on disk."""
        return len(self._files)

    def read_back(self) -> Iterator[tuple[File, Frame]]:
        """Every whole frame that a former process left; a torn tail is cut off.

        Damage in the middle is passed over, so that one bad block of a disk costs the frames in it
        and none behind it.
        """
        paths = sorted(self.folder.glob("*.journal"))
        for path in paths:
            file = File(path, last_seq=int(path.stem) - 1)
            self._files.append(file)
            with path.open("rb") as stream:
                for each in self._frames_of(file, stream):
                    file.size = each.offset + each.length
                    if each.kind is Kind.BODY:
                        file.last_seq = each.number
                    yield file, each
            self._cut(file, is_newest=path == paths[-1])

    def _frames_of(self, file: File, stream: BinaryIO) -> Iterator[Frame]:
        while True:
            yield from read_frames(stream)
            if not find_frame(stream, file.size + 1):
                return
            self._damage.keep(file.path, file.size, stream.tell() - file.size)

    def _cut(self, file: File, is_newest: bool) -> None:
        torn_bytes = file.path.stat().st_size - file.size
        if torn_bytes and is_newest:
            log.warning("an unfinished record was cut off", file=str(file.path), bytes=torn_bytes)
            os.truncate(file.path, file.size)
        elif torn_bytes:
            self._damage.keep(file.path, file.size, torn_bytes)

    @property
    def newest_bytes(self) -> int:
        """Size of the newest file."""
        return self._files[-1].size

    def oldest_seq(self) -> int | None:
        """The first body that the oldest file may hold; None: no file."""
        return int(self._files[0].path.stem) if self._files else None

    def newest_seq(self) -> int | None:
        """The last body's number in the newest file, or the one before its name; None: no file."""
        return self._files[-1].last_seq if self._files else None

    def open_for(self, next_seq: int) -> None:
        """Start the file whose first body is `next_seq`, or go on with it."""
        path = self.folder / f"{next_seq:020d}.journal"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        self.close()
        self._descriptor = descriptor
        if not self._files or self._files[-1].path != path:
            self._files.append(File(path, last_seq=next_seq - 1))
        if self._fsync:
            _sync_folder(self.folder)

    def append(
        self, kind: Kind, number: int, second: int, payload: bytes | pa.Buffer
    ) -> tuple[Path, int]:
        """Write a frame whole or not at all; returns where its payload lies."""
        self.check()
        if kind is Kind.BODY and self._files[-1].size >= self.file_max_bytes:
            self.open_for(number)
        file = self._files[-1]
        try:
            _write_all(self._descriptor, frame(kind, number, second, payload), payload)
            if self._fsync:
                os.fdatasync(self._descriptor)
        except OSError:
            # What was written of it must not stand before the next frame.
            os.ftruncate(self._descriptor, file.size)
            raise
        file.size += HEADER.size + len(payload)
        if kind is Kind.BODY:
            file.last_seq = number
        return file.path, file.size - len(payload)

    def check(self) -> None:
        """Raise an OSError if the open file was removed: what is written to it would be lost.

        Any thread may ask.
        """
        self._files[-1].path.stat()

    def has_finished(self, done_seq: int) -> bool:
        """Whether there is a file to delete."""
        return len(self._files) > 1 and self._files[0].last_seq <= done_seq

    def delete_finished(self, done_seq: int) -> None:
        """Delete files without waiting bodies; the newest stays, its name carries the count on."""
        while self.has_finished(done_seq):
            self._files[0].path.unlink(missing_ok=True)
            self._files.popleft()

    def close(self) -> None:
        """Close the file that is open."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def _write_all(descriptor: int, *parts: bytes | pa.Buffer) -> None:
    views = [memoryview(part) for part in parts if len(part)]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views and written:
            views[0] = views[0][written:]


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn an operating system's error into what it means for `folder`, and what to do.

    Raises:
        StoreError: in place of OSError.
    """
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) from error


def disk_error(error: OSError, folder: Path) -> StoreError:
    """What an operating system's error means for the data folder, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            f"the disk of {folder} is full: free some space or move the data folder (--data)",
            permanent=False,
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            f"{folder} cannot be written: make it writable for this user, or name another "
            f"folder (--data): {error.strerror}",
            permanent=True,
        )
    if error.errno == errno.ENOENT:
        return StoreError(
            f"{folder} was removed while streamgauge ran: restore it or leave it empty, then "
            "restart streamgauge",
            permanent=False,
        )
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return StoreError(f"{folder} is no folder: name one (--data)", permanent=True)
    return StoreError(
        f"{folder} cannot be used as data folder: {error.strerror or error}", permanent=False
    )
