"""Time stamps: from the sender's precision to nanoseconds, and which ones are refused."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streamgauge.receive.influx import eights, tokens
from streamgauge.receive.influx.blanks import Bytes, Positions

NANOSECONDS = {
    "": 1,
    "n": 1,
    "ns": 1,
    "u": 1_000,
    "us": 1_000,
    "µ": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
"""Nanoseconds of each precision that 1.x or 2.x knows."""

_MAX_NS = 2**63 - 1


def read_stamps(
    raw: Bytes, start: Positions, end: Positions, unit_ns: int, received_at_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Nanoseconds [n_lines], and which are no time stamps.

    A line without a time stamp (start == end) gets `received_at_ns`.
    """
    whole = eights.stamps(raw, start, end)
    if whole is not None and whole.max() <= _MAX_NS // unit_ns:
        return whole * unit_ns, np.zeros(len(whole), bool)
    is_given = start < end
    digits = tokens.slices(raw, start, end)
    units, is_number = tokens.numbers(digits, pl.Int64)
    first = raw[np.minimum(start, len(raw) - 1)]
    is_number = is_number & ((first != ord("+")) | ~is_given)
    most = _MAX_NS // unit_ns
    is_in_range = (units >= -most) & (units <= most)
    time_ns = np.where(is_given & is_in_range, units, 0) * unit_ns
    if not is_given.all():
        time_ns[~is_given] = received_at_ns
    return time_ns, is_given & ~(is_number & is_in_range)


def stamps_refused(
    time_ns: NDArray[np.int64], received_at_ns: int, max_ahead_s: float
) -> NDArray[np.bool_]:
    """Which time stamps are refused: negative ones, and those too far ahead of our clock."""
    latest = received_at_ns + max_ahead_s * 1e9
    refused: NDArray[np.bool_] = time_ns < 0
    if latest < _MAX_NS:
        refused |= time_ns > int(latest)
    return refused


def stamp_reason(time_ns: int, max_ahead_s: float, *, is_given: bool) -> str:
    """Why a time stamp is refused, for people."""
    if not is_given:
        return "the line has no time stamp, and there is no time of receipt to stand in for it"
    if time_ns < 0:
        return (
            f"time stamp {time_ns} ns is before 1970; "
            "check the clock of the sender and the parameter precision"
        )
    return (
        f"time stamp {time_ns} ns is more than {max_ahead_s:g} s ahead of our clock; "
        "check the clock of the sender and the parameter precision"
    )
