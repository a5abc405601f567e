"""Cuts a body into lines, and each line into series key, fields and time stamp.

Nothing is copied: a line is six positions in the body. Comments and blank lines are left out. The
sections are the bytes between runs of white space that `strings.hide` left standing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.blanks import Blanks, Bytes, Positions

_KEY_FIELDS_STAMP = np.frombuffer(b"  \n", np.uint8)
"""The white space of a line that has all three sections."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines with content of one body; all arrays are [n_lines], in the order of the body.

    A section that is missing begins and ends at the same position.
    """

    raw: Bytes
    """The body, ending in a line break."""
    clean: Bytes
    """The same length; separators that are part of the content are overwritten."""
    number: Positions
    """1 for the first line of the body, comments and blank ones included."""
    start: Positions
    end: Positions
    key_end: Positions
    fields_start: Positions
    fields_end: Positions
    stamp_start: Positions
    stamp_end: Positions
    is_whole: NDArray[np.bool_]
    """There are a key and fields, and nothing stands behind the time stamp."""

    def __len__(self) -> int:
        return len(self.start)


def split(raw: Bytes, clean: Bytes, first_number: int = 1) -> Lines:
    """Cut text, which ends in a line break and is valid UTF-8.

    Args:
        raw: the text.
        clean: the same without what is hidden (`strings.hide`).
        first_number: of the text's first line.
    """
    marks = np.flatnonzero(clean <= ord(" "))
    kinds = clean[marks]
    alike = _all_alike(raw, clean, marks, kinds)
    lines = _any(raw, clean, marks, kinds) if alike is None else alike
    return replace(lines, number=lines.number + (first_number - 1))


def _all_alike(raw: Bytes, clean: Bytes, marks: Positions, kinds: Bytes) -> Lines | None:
    """The common shape: every line is key, one space, fields, one space, time stamp."""
    if len(marks) % 3 or not (kinds.reshape(-1, 3) == _KEY_FIELDS_STAMP).all():
        return None
    first, second, end = marks[0::3], marks[1::3], marks[2::3]
    start = np.concatenate(([0], end[:-1] + 1))
    is_filled = (first > start) & (second > first + 1) & (end > second + 1)
    if not is_filled.all() or (clean[start] == ord("#")).any():
        return None
    number = np.arange(1, len(start) + 1) if clean is raw else _numbers(raw, start)
    whole = np.ones(len(start), bool)
    return Lines(raw, clean, number, start, end, first, first + 1, second, second + 1, end, whole)


def _any(raw: Bytes, clean: Bytes, marks: Positions, kinds: Bytes) -> Lines:
    """Lines of every shape."""
    breaks, spaces = marks[kinds == ord("\n")], marks[kinds == ord(" ")]
    first = np.concatenate(([0], breaks[:-1] + 1))
    blank = Blanks(clean)
    start = blank.skip(first)
    end = breaks - ((breaks > start) & (clean[breaks - 1] == ord("\r")))
    kept = (start < end) & (clean[start] != ord("#"))
    start, end = start[kept], end[kept]
    key_end = _next(spaces, start, end)
    fields_start = np.minimum(blank.skip(key_end), end)
    fields_end = _next(spaces, fields_start, end)
    stamp_start = np.minimum(blank.skip(fields_end), end)
    stamp_end = _next(spaces, stamp_start, end)
    return Lines(
        raw,
        clean,
        _numbers(raw, first[kept]),
        start,
        end,
        key_end,
        fields_start,
        fields_end,
        stamp_start,
        stamp_end,
        is_whole=(fields_start < fields_end) & (blank.skip(stamp_end) >= end),
    )


def _numbers(raw: Bytes, first: Positions) -> Positions:
    """Line numbers, those inside strings counted as well."""
    return np.searchsorted(np.flatnonzero(raw == ord("\n")), first) + 1


def _next(spaces: Positions, at: Positions, end: Positions) -> Positions:
    """The first space at or behind `at`, or the line's end."""
    found = np.append(spaces, end[-1:])[np.searchsorted(spaces, at)]
    return np.minimum(found, end)
