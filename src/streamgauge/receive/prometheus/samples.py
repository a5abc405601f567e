"""Samples as protobuf has them → arrays.

Nearly all of them are of one of two shapes, as a time stamp in milliseconds takes 6 bytes between
2004 and 2109, and a value of 0 is left out; those are read all at once. Any other is left to
the protobuf library.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Floats, Ints
from streamgauge.receive.prometheus import wire

SAMPLE = 16
"""Bytes of a sample with a value: 09, eight of the value, 10, six of the time."""
ZERO = 7
"""Bytes of a sample without a value, which is 0: 10, six of the time."""
STALE_BITS = 0x7FF0000000000002
"""The NaN that marks where a series ends. Source: remote write 1.0, "Stale Markers"."""

_VALUE_TAG = 0x09
TIME, VALUE = 6, 8
"""Bytes of a time stamp, and of a value."""
VALUE_TO_END = 15
"""Bytes from a value's begin to its sample's end."""
_END = 8
"""Bytes of a sample's end that are looked at together: one of no interest, 10, six of the time."""
_CARRIES = np.uint64(0x80_80_80_80_80_80_FF_00)
_CARRIES_ON = np.uint64(0x00_80_80_80_80_80_10_00)
"""What these bits are, last byte first, where each byte of the time but the last is followed."""
_BEFORE = b"\0"
"""A sample is never the first byte of a body."""
_Kind = TypeVar("_Kind", np.uint8, np.bool_)


def windows(data: NDArray[_Kind], length: int) -> NDArray[_Kind]:
    """[n, length] all so many bytes that stand side by side; a view, without copying them."""
    count = max(len(data) - length + 1, 0)
    return np.ndarray((count, length), data.dtype, data, 0, (1, 1))


def read_samples(bodies: list[bytes]) -> tuple[Floats, Ints]:
    """Values and times in milliseconds of samples, in their order.

    Args:
        bodies: as protobuf has them.

    Raises:
        DecodeError: one of them is not protobuf.
    """
    value, time_ms = np.zeros(len(bodies)), np.zeros(len(bodies), np.int64)
    is_read = np.zeros(len(bodies), bool)
    size = np.fromiter(map(len, bodies), np.int64, len(bodies))
    for shape in (SAMPLE, ZERO):
        at = np.flatnonzero(size == shape)
        if len(at):
            some = [_BEFORE, *(bodies[index] for index in at.tolist())]
            joined = np.frombuffer(b"".join(some), np.uint8)
            ends, is_zero = 1 + shape * np.arange(1, len(at) + 1), np.full(len(at), shape == ZERO)
            value[at], time_ms[at] = read_in_place(joined, ends, is_zero)
            is_read[at] = True
    for index in np.flatnonzero(~is_read).tolist():
        sample = wire.Sample.FromString(bodies[index])
        value[index], time_ms[index] = sample.value, sample.timestamp
    return value, time_ms


def _times(ends: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], Ints]:
    """Which of these [n] are the end of a sample with a time stamp, and that."""
    time_ms = np.zeros(len(ends), np.uint64)
    for place in range(TIME):
        octet = (ends >> np.uint64(8 * (place + 2))) & np.uint64(0x7F)
        time_ms |= octet << np.uint64(7 * place)
    is_good: NDArray[np.bool_] = (ends & _CARRIES) == _CARRIES_ON
    return is_good, time_ms.view(np.int64)


def read_in_place(
    body: NDArray[np.uint8], ends: Ints, is_zero: NDArray[np.bool_]
) -> tuple[Floats, Ints]:
    """The same of samples that stand in a body.

    Args:
        body: all of it; there is a byte before the first sample.
        ends: [n] where they end.
        is_zero: [n] whether each is ZERO bytes long, not SAMPLE.

    Raises:
        DecodeError: one of them is not protobuf.
    """
    is_good, time_ms = _times(windows(body, _END)[ends - _END].view("<u8")[:, 0])
    value, full = np.zeros(len(ends)), np.flatnonzero(~is_zero)
    is_good[full] &= body[ends[full] - SAMPLE] == _VALUE_TAG
    value[full] = windows(body, VALUE)[ends[full] - VALUE_TO_END].view("<f8")[:, 0]
    for at in np.flatnonzero(~is_good).tolist():
        begin = int(ends[at]) - (ZERO if is_zero[at] else SAMPLE)
        sample = wire.Sample.FromString(body[begin : ends[at]].tobytes())
        value[at], time_ms[at] = sample.value, sample.timestamp
    return value, time_ms


def is_stale(value: Floats) -> NDArray[np.bool_]:
    """Which are markers of staleness."""
    found: NDArray[np.bool_] = value.view(np.int64) == STALE_BITS
    return found
