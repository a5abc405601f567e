"""Acknowledged bodies on disk until the engine has them.

Numbered files of frames (`store.records`). A body is appended, then acknowledged; a segment's
border is appended before its insert and names the insert's token; when it is in the engine, a
`done` frame says so and files without unfinished bodies are deleted. What a crash leaves is read
back by `open`: bodies after the last `done`, cut into the same segments as far as borders were
written. The journal decides nothing about when to insert: that is the writer's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.store.records import (
    HEADER,
    Body,
    Frame,
    Kind,
    decode_body,
    encode_body,
    frame,
    read_frames,
    retry_key_of,
)
from streamgauge.store.retrykeys import RetryKeys

FILE_MAX_BYTES = 64 * 1024**2


@dataclass(slots=True)
class Entry:
    """A body that is not in the engine yet: where it lies, and itself while there is room."""

    seq: int
    line_count: int
    path: Path
    offset: int
    length: int
    body: Body | None = None
    received_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Border:
    """A segment about to be inserted."""

    first_seq: int
    last_seq: int
    token: str


@dataclass(slots=True)
class _File:
    path: Path
    last_seq: int
    size: int = 0


@dataclass(slots=True)
class Journal:
    """Thread-safe. `appended` is notified when there is something for the writer."""

    folder: Path
    max_bytes: int
    held_max_bytes: int
    fsync: bool
    keys: RetryKeys
    first_seq: int
    """Where counting starts in an empty folder."""
    appended: threading.Condition = field(default_factory=threading.Condition)
    damaged_bytes: int = 0
    """What could not be read back by the last `open` and was not a torn tail."""
    file_max_bytes: int = FILE_MAX_BYTES
    _waiting: deque[Entry] = field(default_factory=deque)
    _borders: deque[Border] = field(default_factory=deque)
    _files: deque[_File] = field(default_factory=deque)
    _descriptor: int = -1
    _next_seq: int = 0
    _held_bytes: int = 0
    _waiting_lines: int = 0
    _done_seq: int = 0

    # -- opening ------------------------------------------------------------------------------

    def open(self, now: float) -> None:
        """Read back what a former process left, and cut off a torn tail.

        Raises:
            StoreError: the folder cannot be read or written.
        """
        with _disk_errors(self.folder), self.appended:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.keys.load(now)
            self._next_seq = self.first_seq
            paths = sorted(self.folder.glob("*.journal"))
            for path in paths:
                self._read_back(path, is_last=path == paths[-1])
            self._done_seq = max(self._done_seq, self._waiting_from() - 1)
            self._forget_done(self._done_seq)
            self._open_file()

    def _waiting_from(self) -> int:
        """The first body that may still be missing in the engine."""
        later = (entry.seq for entry in self._waiting if entry.seq > self._done_seq)
        return next(later, self._next_seq)

    def _read_back(self, path: Path, is_last: bool) -> None:
        file = _File(path, last_seq=int(path.stem) - 1)
        self._next_seq = max(self._next_seq if self._files else 0, int(path.stem))
        with path.open("rb") as stream:
            for each in read_frames(stream):
                self._take_back(each, file)
                file.size = each.offset + each.length
        torn_bytes = path.stat().st_size - file.size
        if torn_bytes and is_last:
            os.truncate(path, file.size)
        elif torn_bytes:
            self.damaged_bytes += torn_bytes
        self._files.append(file)

    def _take_back(self, each: Frame, file: _File) -> None:
        if each.kind is Kind.BODY:
            received_at, key = retry_key_of(each.payload)
            if key:
                self.keys.add(key, received_at)
            entry = Entry(each.number, each.second, file.path, each.offset, each.length)
            entry.received_at = received_at
            self._waiting.append(entry)
            self._waiting_lines += each.second
            file.last_seq, self._next_seq = each.number, each.number + 1
        elif each.kind is Kind.BORDER:
            self._borders.append(Border(each.number, each.second, each.payload.decode()))
        else:
            self._done_seq = max(self._done_seq, each.number)

    # -- receiving ----------------------------------------------------------------------------

    def append(self, body: Body) -> bool:
        """Keep a body; it may be acknowledged when this returns True. False: it is a duplicate.

        Raises:
            Overloaded: the journal is full until the engine has caught up.
            StoreError: the disk refused; nothing was kept.
        """
        payload = encode_body(body)
        with self.appended:
            if body.retry_key and body.retry_key in self.keys:
                return False
            self._check_budget(payload.size)
            with _disk_errors(self.folder):
                offset = self._write(Kind.BODY, self._next_seq, body.line_count, payload)
                if body.retry_key:
                    self.keys.add(body.retry_key, body.received_at)
            self._enqueue(body, offset, payload.size)
            self.appended.notify_all()
        return True

    def _check_budget(self, size: int) -> None:
        if self.size_bytes + size > self.max_bytes:
            raise Overloaded(
                f"the journal holds {self.size_bytes} of {self.max_bytes} bytes of lines waiting "
                "for the engine; send again later",
                retry_after_s=5,
            )

    def _enqueue(self, body: Body, offset: int, size: int) -> None:
        file = self._files[-1]
        entry = Entry(self._next_seq, body.line_count, file.path, offset, size)
        entry.received_at = body.received_at
        if self._held_bytes + size <= self.held_max_bytes:
            entry.body = body
            self._held_bytes += size
        self._waiting.append(entry)
        self._waiting_lines += body.line_count
        file.last_seq = self._next_seq
        self._next_seq += 1

    # -- inserting ----------------------------------------------------------------------------

    def pending(self) -> tuple[int, int]:
        """Bodies and lines that wait, whether or not they are being inserted."""
        with self.appended:
            return len(self._waiting), self._waiting_lines

    @property
    def last_seq(self) -> int:
        """The newest acknowledged body's number."""
        return self._next_seq - 1

    @property
    def done_seq(self) -> int:
        """Everything up to this body is in the engine."""
        return self._done_seq

    def oldest_received_at(self) -> float | None:
        """When the oldest waiting body came; None: nothing waits."""
        with self.appended:
            return self._waiting[0].received_at if self._waiting else None

    def known_border(self) -> Border | None:
        """The oldest segment a former process had begun to insert, if any is left."""
        with self.appended:
            return self._borders[0] if self._borders else None

    def next_bodies(self, max_lines: int) -> list[Entry]:
        """The oldest waiting bodies, at least one, up to `max_lines` lines."""
        with self.appended:
            return list(_up_to(self._waiting, max_lines))

    def bodies_of(self, border: Border) -> list[Entry]:
        """The bodies of a segment."""
        with self.appended:
            return [entry for entry in self._waiting if entry.seq <= border.last_seq]

    def draw_border(self, border: Border) -> None:
        """Write down which bodies are one insert, before it is made.

        Raises:
            StoreError: the disk refused.
        """
        with self.appended, _disk_errors(self.folder):
            self._write(Kind.BORDER, border.first_seq, border.last_seq, border.token.encode())

    def load(self, entry: Entry) -> Body:
        """A body, from memory or from disk.

        Raises:
            StoreError: the disk refused.
        """
        if entry.body is not None:
            return entry.body
        with _disk_errors(self.folder), entry.path.open("rb") as stream:
            stream.seek(entry.offset)
            return decode_body(stream.read(entry.length))

    def finish(self, last_seq: int) -> None:
        """Everything up to `last_seq` is in the engine: forget it.

        Raises:
            StoreError: the disk refused; the segment would be sent again after a restart, and
                be recognised by its token.
        """
        with self.appended:
            self._forget_done(last_seq)
            with _disk_errors(self.folder):
                self._write(Kind.DONE, last_seq, 0, b"")
                self._delete_finished_files()
            self.appended.notify_all()

    def _forget_done(self, last_seq: int) -> None:
        self._done_seq = max(self._done_seq, last_seq)
        while self._waiting and self._waiting[0].seq <= last_seq:
            entry = self._waiting.popleft()
            self._waiting_lines -= entry.line_count
            if entry.body is not None:
                self._held_bytes -= entry.length
        while self._borders and self._borders[0].last_seq <= last_seq:
            self._borders.popleft()

    # -- files --------------------------------------------------------------------------------

    @property
    def size_bytes(self) -> int:
        """Bytes on disk."""
        return sum(file.size for file in self._files)

    @property
    def file_count(self) -> int:
        """Files on disk."""
        return len(self._files)

    def close(self) -> None:
        """Close the files."""
        with self.appended:
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1
            self.keys.close()

    def _write(self, kind: Kind, number: int, second: int, payload: bytes | pa.Buffer) -> int:
        """Append a frame whole or not at all; returns the payload's offset."""
        file = self._files[-1]
        if kind is Kind.BODY and file.size >= self.file_max_bytes:
            file = self._open_file()
        header = frame(kind, number, second, payload)
        size = HEADER.size + len(payload)
        try:
            _write_all(self._descriptor, header, payload)
            if self.fsync:
                os.fdatasync(self._descriptor)
        except OSError:
            # What was written of it must not stand before the next frame.
            os.ftruncate(self._descriptor, file.size)
            raise
        file.size += size
        return file.size - len(payload)

    def _open_file(self) -> _File:
        path = self.folder / f"{self._next_seq:020d}.journal"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = descriptor
        if not self._files or self._files[-1].path != path:
            self._files.append(_File(path, last_seq=self._next_seq - 1))
        self._delete_finished_files()
        return self._files[-1]

    def _delete_finished_files(self) -> None:
        """The newest file stays: its name carries the sequence on."""
        while len(self._files) > 1 and self._files[0].last_seq <= self._done_seq:
            self._files[0].path.unlink(missing_ok=True)
            self._files.popleft()


def _up_to(entries: deque[Entry], max_lines: int) -> Iterator[Entry]:
    lines = 0
    for entry in entries:
        if lines and lines + entry.line_count > max_lines:
            return
        lines += entry.line_count
        yield entry


def _write_all(descriptor: int, *parts: bytes | pa.Buffer) -> None:
    views = [memoryview(part) for part in parts if len(part)]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if views and written:
            views[0] = views[0][written:]


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
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
    return StoreError(f"{folder}: {error.strerror or error}", permanent=False)
