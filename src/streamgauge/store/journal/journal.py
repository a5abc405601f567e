"""Acknowledged bodies on disk until the engine has them.

A body is appended, then acknowledged; a segment's border is appended before its insert and names
the insert's token; when it is in the engine, a `done` frame says so and files without waiting
bodies are deleted. What a crash leaves is read back by `open`: bodies after the last `done`, cut
into the same segments as far as borders were written. When to insert is the writer's to decide.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.store.journal.damage import Damage
from streamgauge.store.journal.files import JournalFiles, disk_errors
from streamgauge.store.journal.marks import Marks
from streamgauge.store.journal.records import (
    Body,
    Frame,
    Kind,
    decode_body,
    encode_body,
    retry_key_of,
)
from streamgauge.store.journal.retrykeys import RetryKeys

RETRY_AFTER_S = 5
IDLE_BYTES = 1 << 16
"""With nothing waiting, a file larger than this gives its space back."""


@dataclass(slots=True)
class Entry:
    """A body that is not in the engine yet: where it lies, and itself while there is room."""

    seq: int
    line_count: int
    path: Path
    offset: int
    length: int
    received_at: float
    body: Body | None = None


@dataclass(frozen=True, slots=True)
class Border:
    """A segment about to be inserted."""

    first_seq: int
    last_seq: int
    token: str


class Journal:
    """Thread-safe. `appended` is notified when there is something for the writer, or done."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        held_max_bytes: int,
        fsync: bool,
        keys: RetryKeys,
        first_seq: int,
        file_max_bytes: int,
    ) -> None:
        """Nothing is touched before `open`.

        Args:
            folder: Where its files stand.
            max_bytes: Of bodies that may wait; the disk may hold a file more.
            held_max_bytes: Of waiting bodies that may also be held in memory.
            fsync: Whether an acknowledged body survives a power cut.
            keys: By which retries are known.
            first_seq: Where counting starts in an empty folder.
            file_max_bytes: A file this large is followed by a new one.
        """
        self._folder, self.max_bytes, self._held_max_bytes = folder, max_bytes, held_max_bytes
        self.keys = keys
        self.damage = Damage(folder)
        self.files = JournalFiles(folder, fsync, file_max_bytes, self.damage)
        self._marks = Marks(folder, fsync)
        self.appended = threading.Condition()
        self._waiting: deque[Entry] = deque()
        self._waiting_lines = self._waiting_bytes = self._held_bytes = 0
        self._borders: deque[Border] = deque()
        self._next_seq = first_seq
        self._done_seq = 0

    def open(self, now: float) -> None:
        """Read back what a former process left; `now` (epoch seconds) tells the age of keys.

        Raises:
            StoreError: the folder cannot be read or written.
        """
        with disk_errors(self._folder), self.appended:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.keys.load(now)
            for file, frame in self.files.read_back():
                self._take_back(file.path, frame)
            for frame in self._marks.read_back():
                self._take_mark(frame)
            newest_seq = max(self.files.newest_seq() or 0, self._done_seq)
            if newest_seq:
                self._next_seq = newest_seq + 1
            self.damage.judge(self._lost_count())
            self._forget_done(self._done_seq)
            first_waiting = self._waiting[0].seq if self._waiting else self._next_seq
            self._forget_done(first_waiting - 1)
            self.files.open_for(self._next_seq)
            self.files.delete_finished(self._done_seq)

    def _lost_count(self) -> int:
        """Bodies that were neither inserted nor can be read back, as far as numbers tell."""
        waiting = sum(entry.seq > self._done_seq for entry in self._waiting)
        oldest = self.files.oldest_seq()
        begun = max(self._done_seq, oldest - 1 if oldest is not None else self._next_seq - 1)
        return max(self._next_seq - 1 - begun - waiting, 0)

    def _take_back(self, path: Path, frame: Frame) -> None:
        if frame.kind is Kind.BODY:
            received_at, key = retry_key_of(frame.payload)
            if key:
                self.keys.recall(key, received_at)
            self._enqueue(
                Entry(frame.number, frame.second, path, frame.offset, frame.length, received_at)
            )
        else:
            self._take_mark(frame)

    def _take_mark(self, frame: Frame) -> None:
        """A border or `done`; each stands in two files."""
        if frame.kind is Kind.BORDER:
            border = Border(frame.number, frame.second, frame.payload.decode())
            if border not in self._borders:
                self._borders.append(border)
                self._borders = deque(sorted(self._borders, key=lambda each: each.last_seq))
        else:
            self._done_seq = max(self._done_seq, frame.number)

    # -- receiving ----------------------------------------------------------------------------

    def append(self, body: Body) -> bool:
        """Keep a body; it may be acknowledged when this returns True. False: it is a duplicate.

        Raises:
            Overloaded: too much waits until the engine has caught up.
            StoreError: the disk refused; nothing was kept.
        """
        payload = encode_body(body)
        with self.appended:
            if body.retry_key and body.retry_key in self.keys:
                return False
            self._check_budget(payload.size)
            seq, lines = self._next_seq, body.line_count
            with disk_errors(self._folder):
                if body.retry_key:
                    self.keys.make_room(body.received_at)
                path, offset = self.files.append(Kind.BODY, seq, lines, payload)
                self._next_seq += 1
                entry = Entry(seq, lines, path, offset, payload.size, body.received_at)
                if self._held_bytes + payload.size <= self._held_max_bytes:
                    entry.body = body
                self._enqueue(entry)
                self.appended.notify_all()
                if body.retry_key:
                    self.keys.add(body.retry_key)
        return True

    def knows(self, retry_key: bytes) -> bool:
        """Whether a body of that key was kept before."""
        with self.appended:
            return retry_key in self.keys

    def _check_budget(self, size: int) -> None:
        if self._waiting_bytes + size > self.max_bytes:
            raise Overloaded(
                f"the journal holds {self._waiting_bytes} of {self.max_bytes} bytes of lines "
                "waiting for the engine; send again later",
                retry_after_s=RETRY_AFTER_S,
            )

    def _enqueue(self, entry: Entry) -> None:
        self._waiting.append(entry)
        self._waiting_lines += entry.line_count
        self._waiting_bytes += entry.length
        self._held_bytes += entry.length if entry.body is not None else 0

    def problem(self) -> str:
        """Why nothing can be kept, for people; empty: it can."""
        try:
            with disk_errors(self._folder):
                self.files.check()
        except StoreError as error:
            return str(error)
        return ""

    # -- what waits ---------------------------------------------------------------------------

    def pending(self) -> tuple[int, int]:
        """Bodies and lines that wait, whether or not they are being inserted."""
        with self.appended:
            return len(self._waiting), self._waiting_lines

    @property
    def waiting_bytes(self) -> int:
        """Size of the bodies that wait; what the budget is about."""
        return self._waiting_bytes

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

    # -- inserting ----------------------------------------------------------------------------

    def known_border(self) -> Border | None:
        """The oldest segment a former process had begun to insert, if any is left."""
        with self.appended:
            return self._borders[0] if self._borders else None

    def next_bodies(self, max_lines: int, max_bytes: int) -> list[Entry]:
        """The oldest waiting bodies, at least one, up to so many lines and bytes."""
        with self.appended:
            return list(_up_to(self._waiting, max_lines, max_bytes))

    def bodies_of(self, border: Border) -> list[Entry]:
        """The bodies of a segment."""
        with self.appended:
            return [entry for entry in self._waiting if entry.seq <= border.last_seq]

    def draw_border(self, border: Border) -> None:
        """Write down which bodies are one insert, before it is made.

        Raises:
            StoreError: the disk refused.
        """
        with self.appended, disk_errors(self._folder):
            token = border.token.encode()
            self._marks.append(Kind.BORDER, border.first_seq, border.last_seq, token)
            self.files.append(Kind.BORDER, border.first_seq, border.last_seq, token)

    def load(self, entry: Entry) -> Body:
        """A body, from memory or from disk.

        Raises:
            StoreError: the disk refused.
        """
        return entry.body if entry.body is not None else decode_body(self.read(entry))

    def read(self, entry: Entry) -> bytes:
        """A body as it stands on disk.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self._folder), entry.path.open("rb") as stream:
            stream.seek(entry.offset)
            return stream.read(entry.length)

    def finish(self, last_seq: int) -> None:
        """Everything up to `last_seq` is in the engine: forget it.

        Raises:
            StoreError: the disk refused; after a crash the segment would be sent again, and be
                recognised by its token.
        """
        with self.appended, disk_errors(self._folder):
            self._forget_done(last_seq)
            self.appended.notify_all()
            self._give_space_back()  # first: the disk may be full
            self._marks.append(Kind.DONE, last_seq, 0, b"")
            self.files.append(Kind.DONE, last_seq, 0, b"")

    def _give_space_back(self) -> None:
        """Delete files whose bodies are all done; with nothing waiting, the newest one too.

        The new file's name carries the count on, so that it is made before the old one goes.
        """
        if not self._waiting and self.files.newest_bytes > IDLE_BYTES:
            with contextlib.suppress(OSError):  # a full disk: at the next time
                self.files.open_for(self._next_seq)
        if self.files.has_finished(self._done_seq):
            with contextlib.suppress(OSError):  # they are in memory; there is room in a moment
                self.keys.sync()
            self.files.delete_finished(self._done_seq)
            self.keys.sync()

    def _forget_done(self, last_seq: int) -> None:
        self._done_seq = max(self._done_seq, last_seq)
        while self._waiting and self._waiting[0].seq <= last_seq:
            entry = self._waiting.popleft()
            self._waiting_lines -= entry.line_count
            self._waiting_bytes -= entry.length
            self._held_bytes -= entry.length if entry.body is not None else 0
        while self._borders and self._borders[0].last_seq <= last_seq:
            self._borders.popleft()

    def close(self) -> None:
        """Close the files."""
        with self.appended:
            self.files.close()
            self._marks.close()
            self.keys.close()


def _up_to(entries: deque[Entry], max_lines: int, max_bytes: int) -> Iterator[Entry]:
    lines = size = 0
    for entry in entries:
        lines, size = lines + entry.line_count, size + entry.length
        if size > entry.length and (lines > max_lines or size > max_bytes):
            return
        yield entry
