"""Where counters stand, on disk, exactly as far as bodies are kept.

What a body moves is appended under its retry key *before* the journal keeps the body. When it is
read back, the last record counts only if the journal knows its key: so neither a crash between the
two nor one in the middle of either loses an increase, or counts it twice. Once the body is kept a
mark follows, and what is followed by anything counts: a record whose body was not kept is cut off.
A record of a body that told nothing to keep counts always. A snapshot of all takes the place of
what was appended before, at every start, at the end, and when the file has grown.

See docs/adr/0012-where-counters-stand.md.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.errors import StoreError
from streamgauge.model.whole import UNFINISHED, append_whole, replace_whole
from streamgauge.receive.meaning.buckets import BUCKET
from streamgauge.receive.meaning.counters import STANDING
from streamgauge.receive.meaning.shapes import Shape, packed, unpacked

_FRAME = struct.Struct("<4sII")
"""Magic, payload bytes, checksum of the payload."""
_MAGIC = b"SGC1"
_KEPT = b""
"""Payload of a mark: the body of the record before is kept."""
_PARTS = struct.Struct("<16sBIIII")
"""Retry key, whether it counts always, bytes of standings, shapes, buckets and tellers."""
_NO_KEY = bytes(16)
MIN_LOG_BYTES = 16 << 20
"""A log smaller than this, or than two snapshots, goes on."""


@dataclass(slots=True)
class Moved:
    """What a body moves on, or all there is."""

    standings: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, STANDING))
    shapes: list[tuple[int, Shape]] = field(default_factory=list)
    buckets: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, BUCKET))
    tellers: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, np.uint64))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write down."""
        return not (len(self.standings) or self.shapes or len(self.buckets) or len(self.tellers))


class CounterLog:
    """One log at a time, and the snapshot that it goes on from. Not thread-safe."""

    def __init__(self, folder: Path, *, fsync: bool) -> None:
        """Nothing is touched before `read_back`."""
        self._folder, self._fsync = folder, fsync
        self._number, self._descriptor = 0, -1
        self._size_bytes = self._last_bytes = 0
        self._long_bytes = MIN_LOG_BYTES
        self._is_torn = False
        """What was to be cut off could not be: nothing may follow it."""

    def read_back(self, knows: Callable[[bytes], bool]) -> Iterator[Moved]:
        """All that counts, oldest first.

        Args:
            knows: whether the journal keeps a body of that retry key.

        Raises:
            StoreError: the disk refused, or the journal is not open.
        """
        with self._disk_errors():
            self._folder.mkdir(parents=True, exist_ok=True)
            for unfinished in self._folder.glob(f"*{UNFINISHED}"):
                unfinished.unlink()
            snapshots = sorted(int(path.stem) for path in self._folder.glob("*.snapshot"))
            newest = snapshots[-1] if snapshots else 0
            logs = sorted(int(path.stem) for path in self._folder.glob("*.log"))
            self._number = max([newest, *logs])
            paths = [self._path(newest, "snapshot")] if newest else []
            paths += [self._path(one, "log") for one in logs if one >= newest]
            for path in paths:
                yield from _counting(path.read_bytes(), knows)

    def begin_anew(self, everything: Moved) -> None:
        """Write all down that counts now, and append to a new log.

        Raises:
            StoreError: the disk refused; the former log goes on.
        """
        number = self._number + 1
        with self._disk_errors():
            path = self._path(number, "snapshot")
            content = _framed(_packed(None, everything))
            log_path = self._path(number, "log")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            descriptor = os.open(log_path, flags, 0o640)
            try:  # last: from then on what the former log says counts no more
                replace_whole(path, content, fsync=self._fsync)
            except OSError:
                os.close(descriptor)
                raise
            self.close()
            self._number, self._descriptor = number, descriptor
            self._size_bytes = self._last_bytes = 0
            self._long_bytes = max(MIN_LOG_BYTES, 2 * len(content))
            self._is_torn = False
            for old in (*self._folder.glob("*.snapshot"), *self._folder.glob("*.log")):
                if int(old.stem) < number:
                    old.unlink()

    @property
    def is_long(self) -> bool:
        """Whether it is time to begin anew."""
        return self._size_bytes > self._long_bytes

    def postpone(self) -> None:
        """It could not be begun anew: let it grow a quarter longer."""
        self._long_bytes = self._size_bytes + self._size_bytes // 4

    def append(self, key: bytes | None, moved: Moved) -> None:
        """Write down what a body moves; key None: it counts whatever becomes of the body.

        Raises:
            StoreError: the disk refused; nothing was written.
        """
        content = _framed(_packed(key, moved))
        self._last_bytes = 0
        with self._disk_errors():
            self._cut()
            append_whole(self._descriptor, content, self._size_bytes, fsync=self._fsync)
        self._size_bytes += len(content)
        self._last_bytes = len(content)

    def keep(self) -> None:
        """The last body is kept. Where this cannot be written, the journal will say so."""
        if self._last_bytes:
            self._last_bytes = 0
            mark = _framed(_KEPT)
            with suppress(OSError):
                if os.write(self._descriptor, mark) == len(mark):
                    self._size_bytes += len(mark)
                else:
                    self._is_torn = True

    def take_back(self) -> None:
        """The last body was not kept: its record is cut off, at the latest before the next one."""
        if self._last_bytes:
            self._size_bytes -= self._last_bytes
            self._last_bytes, self._is_torn = 0, True
            with suppress(OSError):
                self._cut()

    def _cut(self) -> None:
        if self._is_torn:
            os.ftruncate(self._descriptor, self._size_bytes)
            self._is_torn = False

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _path(self, number: int, suffix: str) -> Path:
        return self._folder / f"{number:012d}.{suffix}"

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"what counters stand at cannot be kept in {self._folder}: "
                f"{error.strerror or error}; nothing was taken, make room or mend the disk",
                permanent=False,
            ) from error


def _counting(content: bytes, knows: Callable[[bytes], bool]) -> Iterator[Moved]:
    """The records of a file that count, in order."""
    payloads = list(_payloads(content))
    for payload, following in zip_longest(payloads, payloads[1:]):
        if payload == _KEPT:
            continue
        key, moved = _unpacked(payload)
        if following is not None or key is None or knows(key):
            yield moved


def _framed(payload: bytes) -> bytes:
    return _FRAME.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload


def _payloads(content: bytes) -> Iterator[bytes]:
    """Up to the first frame that is torn."""
    at = 0
    while at + _FRAME.size <= len(content):
        magic, size, checksum = _FRAME.unpack_from(content, at)
        at += _FRAME.size
        payload = content[at : at + size]
        if magic != _MAGIC or len(payload) < size or zlib.crc32(payload) != checksum:
            return
        at += size
        yield payload


def _packed(key: bytes | None, moved: Moved) -> bytes:
    parts = [
        moved.standings.tobytes(),
        packed(moved.shapes),
        moved.buckets.tobytes(),
        moved.tellers.astype("<u8").tobytes(),
    ]
    head = _PARTS.pack(key or _NO_KEY, key is None, *map(len, parts))
    return b"".join([head, *parts])


def _unpacked(payload: bytes) -> tuple[bytes | None, Moved]:
    key, counts_always, *sizes = _PARTS.unpack_from(payload)
    ends = np.cumsum([_PARTS.size, *sizes]).tolist()
    parts = [payload[begin:end] for begin, end in pairwise(ends)]
    moved = Moved(
        np.frombuffer(parts[0], STANDING),
        list(unpacked(parts[1])),
        np.frombuffer(parts[2], BUCKET),
        np.frombuffer(parts[3], "<u8").astype(np.uint64),
    )
    return (None if counts_always else key), moved
