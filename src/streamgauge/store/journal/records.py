"""The journal's wire format: framed, checksummed records, and bodies as Arrow streams in them.

A frame is a header and a payload. A header that is cut short, or a checksum that does not match,
marks where a crash tore the file: whatever was acknowledged lies before it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import BinaryIO

import pyarrow as pa

from streamgauge.store import columns

MAGIC = b"SGJ1"
HEADER = struct.Struct("<4sBQQII")
"""Magic, kind, number, second number, payload bytes, checksum of all that."""
_TABLE = struct.Struct("<BI")
_BODY = struct.Struct("<dI16s")
"""When it came, what holds of it (`_HAS_KEY`, `_IS_COLLECTED`), its retry key."""
_HAS_KEY, _IS_COLLECTED = 1, 2
_SCHEMAS = (
    columns.MESSAGES,
    columns.QUEUE,
    columns.POINTS,
    columns.REJECTED,
    columns.MESSAGES,
    columns.HOPS,
)
"""By the number of a table in a body; a body of a former version has the first four at most."""


class Kind(IntEnum):
    """What a frame says."""

    BODY = 1
    """One acknowledged body; number: its sequence number, second: its lines."""
    BORDER = 2
    """A segment is about to be inserted; numbers: its first and last body; payload: its token."""
    DONE = 3
    """Everything up to a body is in the engine; number: that body's."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One record as read back; the payload stays on disk until it is asked for."""

    kind: Kind
    number: int
    second: int
    offset: int
    """Of the payload, in its file."""
    length: int
    """Of the payload, bytes."""
    payload: bytes


@dataclass(frozen=True, slots=True)
class Body:
    """What one sender's request left to be stored."""

    messages: pa.Table
    queue: pa.Table
    points: pa.Table
    rejected: pa.Table
    received_at: float = 0.0
    """Epoch seconds."""
    retry_key: bytes = b""
    """16 bytes, or none: the request cannot be known again."""
    durations: pa.Table = field(default_factory=lambda: columns.NO_MESSAGES)
    """See `model.batch.Batch`."""
    hops: pa.Table = field(default_factory=lambda: columns.NO_HOPS)
    is_collected: bool = False
    """See `model.batch.Parsed`."""

    @property
    def tables(self) -> tuple[pa.Table, ...]:
        """All of them in the order of the journal."""
        counted = (self.messages, self.queue, self.points, self.rejected)
        return (*counted, self.durations, self.hops)

    @property
    def line_count(self) -> int:
        """Rows to be inserted; a hop is counted by its row of `messages`."""
        rows = sum(table.num_rows for table in self.tables)
        return int(rows - self.hops.num_rows)


def frame(kind: Kind, number: int, second: int, payload: bytes | pa.Buffer) -> bytes:
    """The header for `payload`; both are written one after the other."""
    checksum = _checksum(kind, number, second, zlib.crc32(payload), len(payload))
    return HEADER.pack(MAGIC, kind, number, second, len(payload), checksum)


def _checksum(kind: int, number: int, second: int, payload_crc: int, length: int) -> int:
    return zlib.crc32(HEADER.pack(MAGIC, kind, number, second, length, 0), payload_crc)


def read_frames(file: BinaryIO) -> Iterator[Frame]:
    """Every whole frame from the file's position on; stops at the first torn or damaged one."""
    while len(header := file.read(HEADER.size)) == HEADER.size:
        magic, kind, number, second, length, checksum = HEADER.unpack(header)
        if magic != MAGIC or kind not in Kind._value2member_map_:
            return
        offset = file.tell()
        payload = file.read(length)
        if len(payload) < length:
            return
        if _checksum(kind, number, second, zlib.crc32(payload), length) != checksum:
            return
        yield Frame(Kind(kind), number, second, offset, length, payload)


def find_frame(file: BinaryIO, start: int) -> bool:
    """Go to the first whole frame at or after `start`; False: there is none."""
    file.seek(start)
    rest = file.read()
    at = rest.find(MAGIC)
    while at >= 0:
        file.seek(start + at)
        if next(read_frames(file), None) is not None:
            file.seek(start + at)
            return True
        at = rest.find(MAGIC, at + 1)
    return False


def encode_body(body: Body) -> pa.Buffer:
    """A body's payload: when and under which key it came, then its tables that have rows."""
    sink = pa.BufferOutputStream()
    holds = (_HAS_KEY if body.retry_key else 0) | (_IS_COLLECTED if body.is_collected else 0)
    sink.write(_BODY.pack(body.received_at, holds, body.retry_key))
    for number, table in enumerate(body.tables):
        if table.num_rows:
            stream = _stream_of(table)
            sink.write(_TABLE.pack(number, stream.size))
            sink.write(stream)
    return sink.getvalue()


def _stream_of(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def retry_key_of(payload: bytes) -> tuple[float, bytes]:
    """When a body came, and its retry key (empty: none), without decoding its tables."""
    received_at, holds, key = _BODY.unpack_from(payload)
    return received_at, key if holds & _HAS_KEY else b""


def decode_body(payload: bytes) -> Body:
    """The inverse of `encode_body`."""
    received_at, key = retry_key_of(payload)
    is_collected = bool(_BODY.unpack_from(payload)[1] & _IS_COLLECTED)
    tables = [schema.empty_table() for schema in _SCHEMAS]
    view, at = memoryview(payload), _BODY.size
    while at < len(view):
        number, size = _TABLE.unpack_from(view, at)
        at += _TABLE.size
        tables[number] = pa.ipc.open_stream(pa.py_buffer(view[at : at + size])).read_all()
        at += size
    messages, queue, points, rejected, durations, hops = tables
    return Body(messages, queue, points, rejected, received_at, key, durations, hops, is_collected)
