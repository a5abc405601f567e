"""Samples as protobuf has them → arrays.

Nearly all of them are of one of two shapes, as a time stamp in milliseconds takes 6 bytes between
2004 and 2109, and a value of 0 is left out; those are read all at once. Any other is left to
the protobuf library.
"""

from __future__ import annotations

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

_TIME = 6
_CARRIES_ON = np.array([0x80] * (_TIME - 1) + [0], np.uint8)
_SHIFTS = np.arange(_TIME, dtype=np.int64) * 7


def equal_rows(pieces: list[bytes], length: int) -> NDArray[np.uint8]:
    """[n_pieces, length] of pieces none of which is longer; those that are shorter become zeros."""
    joined = b"".join(pieces)
    if len(joined) != len(pieces) * length:
        nothing = bytes(length)
        joined = b"".join([piece if len(piece) == length else nothing for piece in pieces])
    return np.frombuffer(joined, np.uint8).reshape(len(pieces), length)


def read_samples(bodies: list[bytes], rows: NDArray[np.uint8] | None = None) -> tuple[Floats, Ints]:
    """Values and times in milliseconds of samples, in their order.

    Args:
        bodies: as protobuf has them.
        rows: [n, SAMPLE] of those whose length is known already; they stand before the others.

    Raises:
        DecodeError: one of them is not protobuf.
    """
    rows = np.zeros((0, SAMPLE), np.uint8) if rows is None else rows
    head = len(rows)
    count = head + len(bodies)
    value, time_ms = np.zeros(count), np.zeros(count, np.int64)
    is_read = np.zeros(count, bool)
    is_read[:head] = _read_alike(rows, slice(head), value, time_ms)
    size = np.fromiter(map(len, bodies), np.int64, len(bodies))
    for shape in (SAMPLE, ZERO):
        at = np.flatnonzero(size == shape)
        if len(at):
            some = equal_rows([bodies[index] for index in at.tolist()], shape)
            is_read[head + at] = _read_alike(some, head + at, value, time_ms)
    for index in np.flatnonzero(~is_read).tolist():
        body = bodies[index - head] if index >= head else rows[index].tobytes()
        sample = wire.Sample.FromString(body)
        value[index], time_ms[index] = sample.value, sample.timestamp
    return value, time_ms


def _read_alike(
    rows: NDArray[np.uint8], at: NDArray[np.int64] | slice, value: Floats, time_ms: Ints
) -> NDArray[np.bool_]:
    """Read samples of one shape into `value` and `time_ms`; says which ones really are of it."""
    times = rows[:, -_TIME:]
    is_good: NDArray[np.bool_] = ((times & 0x80) == _CARRIES_ON).all(axis=1)
    is_good &= rows[:, -_TIME - 1] == 0x10
    if rows.shape[1] == SAMPLE:
        is_good &= rows[:, 0] == 0x09
        value[at] = np.ascontiguousarray(rows[:, 1:9]).view("<f8")[:, 0]
    time_ms[at] = ((times & 0x7F).astype(np.int64) << _SHIFTS).sum(axis=1)
    return is_good


def is_stale(value: Floats) -> NDArray[np.bool_]:
    """Which are markers of staleness."""
    found: NDArray[np.bool_] = value.view(np.int64) == STALE_BITS
    return found
