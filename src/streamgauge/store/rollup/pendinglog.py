"""The file in which rows wait to be summed to hours and days: framed, checksummed, appended to.

A file begins with the tokens of the segments that are summed already, so that a segment which the
journal repeats is not added again. Then come the rows of segments, each with its token. A last
frame names the token under which all of them are inserted: after it nothing is appended, and once
that is done a new file follows. A torn tail is a segment that the journal will repeat.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import structlog

from streamgauge.model.whole import UNFINISHED, append_whole, replace_whole
from streamgauge.store.journal.files import disk_errors
from streamgauge.store.levels import FAMILIES, HOUR

log = structlog.get_logger(__name__)

_HEADER = struct.Struct("<4sBII")
"""Magic, kind, payload bytes, checksum of the payload."""
_MAGIC = b"SGP1"
_PART = struct.Struct("<BI")
"""Number of a table, or of none for the token; its bytes."""
_NO_TABLE = 255
_NAMES = tuple(family.table(HOUR) for family in FAMILIES)
Rows = Mapping[str, pa.Table]


class _Kind(IntEnum):
    SUMMED = 1
    ROWS = 2
    FLUSH = 3


@dataclass(slots=True)
class Content:
    """What a file holds."""

    summed: list[str] = field(default_factory=list)
    """Tokens of segments that are in hours and days, newest last."""
    rows: list[tuple[str, dict[str, pa.Table]]] = field(default_factory=list)
    """Token and tables of each segment that waits."""
    flush_token: str = ""
    """Under which the rows were going to be inserted; empty: not yet."""


class PendingLog:
    """One file at a time, numbered; not thread-safe."""

    def __init__(self, folder: Path, fsync: bool) -> None:
        self._folder, self._fsync = folder, fsync
        self._number, self._descriptor = 0, -1
        self.size_bytes = 0

    def open(self) -> Content:
        """Read back the newest file, and go on with it.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            for unfinished in self._folder.glob(f"*{UNFINISHED}"):
                unfinished.unlink()
            paths = sorted(self._folder.glob("*.pending"))
            for older in paths[:-1]:  # summed: the next one was begun after that
                older.unlink()
            if not paths:
                self._begin(1, ())
                return Content()
            self._number = int(paths[-1].stem)
            content = self._read(paths[-1])
            self._descriptor = os.open(paths[-1], os.O_WRONLY | os.O_APPEND)
            return content

    def append(self, token: str, rows: Rows) -> None:
        """Keep a segment's rows whole or not at all.

        Raises:
            StoreError: the disk refused.
        """
        parts = [_part(_NO_TABLE, token.encode())]
        parts += [_part(_NAMES.index(name), _stream_of(table)) for name, table in rows.items()]
        self._write(_Kind.ROWS, b"".join(parts))

    def begin_flush(self, token: str) -> None:
        """All rows so far are about to be inserted under `token`.

        Raises:
            StoreError: the disk refused.
        """
        self._write(_Kind.FLUSH, token.encode())

    def begin_anew(self, summed: Iterable[str]) -> None:
        """The rows are inserted: forget them, but for the tokens of their segments.

        Raises:
            StoreError: the disk refused; it may be asked again.
        """
        with disk_errors(self._folder):
            old = self._path(self._number)
            self._begin(self._number + 1, summed)
            old.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.pending"

    def _begin(self, number: int, summed: Iterable[str]) -> None:
        path = self._path(number)
        content = _frame(_Kind.SUMMED, "\n".join(summed).encode())
        replace_whole(path, content, fsync=self._fsync)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        self.close()
        self._number, self._descriptor, self.size_bytes = number, descriptor, len(content)

    def _write(self, kind: _Kind, payload: bytes) -> None:
        content = _frame(kind, payload)
        with disk_errors(self._folder):
            append_whole(self._descriptor, content, self.size_bytes, fsync=self._fsync)
        self.size_bytes += len(content)

    def _read(self, path: Path) -> Content:
        content = Content()
        self.size_bytes = 0
        with path.open("rb") as stream:
            while frame := _next_frame(stream):
                _take(content, *frame)
                self.size_bytes = stream.tell()
        torn_bytes = path.stat().st_size - self.size_bytes
        if torn_bytes:
            log.warning("an unfinished record was cut off", file=str(path), bytes=torn_bytes)
            os.truncate(path, self.size_bytes)
        return content


def _frame(kind: _Kind, payload: bytes) -> bytes:
    return _HEADER.pack(_MAGIC, kind, len(payload), zlib.crc32(payload)) + payload


def _next_frame(stream: BinaryIO) -> tuple[_Kind, bytes] | None:
    header = stream.read(_HEADER.size)
    if len(header) < _HEADER.size:
        return None
    magic, kind, length, checksum = _HEADER.unpack(header)
    payload = stream.read(length)
    if magic != _MAGIC or len(payload) < length or zlib.crc32(payload) != checksum:
        return None
    return _Kind(kind), payload


def _take(content: Content, kind: _Kind, payload: bytes) -> None:
    if kind is _Kind.SUMMED:
        content.summed = payload.decode().splitlines()
    elif kind is _Kind.FLUSH:
        content.flush_token = payload.decode()
    else:
        content.rows.append(_rows_of(payload))


def _part(number: int, content: bytes | pa.Buffer) -> bytes:
    return _PART.pack(number, len(content)) + bytes(content)


def _stream_of(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _rows_of(payload: bytes) -> tuple[str, dict[str, pa.Table]]:
    token, rows, at = "", {}, 0
    while at < len(payload):
        number, size = _PART.unpack_from(payload, at)
        at += _PART.size
        content = payload[at : at + size]
        at += size
        if number == _NO_TABLE:
            token = content.decode()
        else:
            rows[_NAMES[number]] = pa.ipc.open_stream(content).read_all()
    return token, rows
