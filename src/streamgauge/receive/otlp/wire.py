"""Protobuf's wire format, read in place: where fields begin and end, nothing is copied.

What this refuses is never accepted elsewhere: a message that is cut off, a number too long, groups.
Unknown fields are given like all others, callers pass over them.

Source: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.errors import PayloadError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10
_MAX_TAG = 2**32 - 1
_MASK_64 = 2**64 - 1

_U64 = struct.Struct("<Q")
_F64 = struct.Struct("<d")


def bad(why: str) -> PayloadError:
    """What a sender of unreadable bytes is told."""
    return PayloadError(f"not an OTLP metrics request in protobuf: {why}")


def fields(body: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The fields of the message in `body[at:end]`, in their order.

    Yields:
        The tag (field number * 8 + wire type), and where the value begins and ends; of `BYTES`
        without their length.

    Raises:
        PayloadError: cut off, or no protobuf.
    """
    while at < end:
        tag, at = varint(body, at, end)
        if not 8 <= tag <= _MAX_TAG:
            raise bad(f"no field has the tag {tag} (before byte {at})")
        kind, stop = tag & 7, at
        if kind == BYTES:
            size, at = varint(body, at, end)
            stop = at + size
        elif kind == FIXED64:
            stop = at + 8
        elif kind == VARINT:
            _, stop = varint(body, at, end)
        elif kind == FIXED32:
            stop = at + 4
        else:
            raise bad(f"wire type {kind} is not understood (before byte {at})")
        if stop > end:
            raise bad(f"it is cut off at byte {end}")
        yield tag, at, stop
        at = stop


def is_list_of(encoded: bytes, tag: int) -> bool:
    """Whether these are fields of that tag alone, all of them whole."""
    try:
        return all(found == tag for found, _, _ in fields(encoded, 0, len(encoded)))
    except PayloadError:
        return False


def varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """A number of variable length, and where it ends.

    Raises:
        PayloadError: cut off, or longer than ten bytes.
    """
    if at < end and body[at] < 0x80:
        return body[at], at + 1
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        if at + place >= end:
            raise bad(f"it is cut off at byte {end}")
        byte = body[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & _MASK_64, at + place + 1
    raise bad(f"a number at byte {at} is too long")


def zigzag(value: int) -> int:
    """The sint32 that a varint stands for."""
    value &= 0xFFFF_FFFF
    return (value >> 1) ^ -(value & 1)


def unsigned(body: bytes, at: int) -> int:
    """Eight bytes as fixed64."""
    return int(_U64.unpack_from(body, at)[0])


def double(body: bytes, at: int) -> float:
    """Eight bytes as double."""
    return float(_F64.unpack_from(body, at)[0])


def eights(body: bytes) -> NDArray[np.uint64]:
    """Eight bytes as fixed64 from each place of a body on [len(body) - 7]; nothing is copied.

    To be indexed by places; as a whole it has eight times the size of the body.
    """
    return np.ndarray(max(len(body) - 7, 0), "<u8", body, strides=(1,))


def text(body: bytes, at: int, end: int) -> str:
    """A string.

    Raises:
        PayloadError: not UTF-8.
    """
    try:
        return body[at:end].decode()
    except UnicodeDecodeError:
        raise bad(f"the text at byte {at} is not UTF-8") from None


def varints(packed: bytes) -> NDArray[np.uint64]:
    """Packed numbers of variable length, all at once.

    Raises:
        PayloadError: the last is cut off, or one is too long.
    """
    raw = np.frombuffer(packed, np.uint8)
    ends = np.flatnonzero(raw < 0x80)
    if not len(raw):
        return np.zeros(0, np.uint64)
    if not len(ends) or ends[-1] != len(raw) - 1:
        raise bad("a list of numbers is cut off")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > _MAX_VARINT_BYTES:
        raise bad("a number in a list is too long")
    place = np.arange(len(raw)) - np.repeat(starts, sizes)
    parts = (raw & 0x7F).astype(np.uint64) << (7 * place).astype(np.uint64)
    found: NDArray[np.uint64] = np.add.reduceat(parts, starts)
    return found


def framed(value: bytes, tag: int) -> bytes:
    """A field of bytes, as it stands in a message; the tag is of one byte."""
    size, head = len(value), bytearray([tag])
    while size > 0x7F:
        head.append(size & 0x7F | 0x80)
        size >>= 7
    head.append(size)
    return bytes(head) + value
