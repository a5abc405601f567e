"""Cuts a body into lines, and each line into series key, fields and time stamp.

Nothing is copied: a line is six positions in the body. Comments and blank lines are left out. The
sections are the bytes between runs of white space that `strings.hide` left standing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.strings import Bytes, Positions, hide


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


def split(body: bytes) -> Lines:
    """Cut `body`, which ends in a line break and is valid UTF-8."""
    raw = np.frombuffer(body, np.uint8)
    clean = hide(body, raw)
    breaks = np.flatnonzero(clean == ord("\n"))
    first = np.concatenate(([0], breaks[:-1] + 1))
    blank = _Blank(clean)
    start = blank.skip(first)
    has_content = (start < breaks) & (clean[start] != ord("#"))
    end = breaks - ((breaks > start) & (clean[breaks - 1] == ord("\r")))
    has_content &= start < end
    kept = slice(None) if has_content.all() else has_content
    start, end = start[kept], end[kept]
    number = _numbers(raw, clean, first[kept], np.flatnonzero(has_content))
    return _sections(raw, clean, number, start, end, blank)


def _numbers(raw: Bytes, clean: Bytes, first: Positions, rank: Positions) -> Positions:
    if clean is raw:
        return rank + 1
    all_breaks = np.flatnonzero(raw == ord("\n"))
    return np.searchsorted(all_breaks, first) + 1


def _sections(
    raw: Bytes, clean: Bytes, number: Positions, start: Positions, end: Positions, blank: _Blank
) -> Lines:
    spaces = np.flatnonzero(clean == ord(" "))
    pairs = _two_spaces_each(spaces, start, end, blank)
    if pairs is not None:
        first, second = pairs
        whole = np.ones(len(start), bool)
        return Lines(
            raw, clean, number, start, end, first, first + 1, second, second + 1, end, whole
        )
    spaces = np.append(spaces, len(clean))
    key_end = _next(spaces, start, end)
    fields_start = np.minimum(blank.skip(key_end), end)
    fields_end = _next(spaces, fields_start, end)
    stamp_start = np.minimum(blank.skip(fields_end), end)
    stamp_end = _next(spaces, stamp_start, end)
    whole = (fields_start < fields_end) & (blank.skip(stamp_end) >= end)
    return Lines(
        raw,
        clean,
        number,
        start,
        end,
        key_end,
        fields_start,
        fields_end,
        stamp_start,
        stamp_end,
        whole,
    )


def _two_spaces_each(
    spaces: Positions, start: Positions, end: Positions, blank: _Blank
) -> tuple[Positions, Positions] | None:
    """The common shape: every line is key, one space, fields, one space, time stamp."""
    if len(spaces) != 2 * len(start):
        return None
    first, second = spaces[0::2], spaces[1::2]
    fits = (first > start) & (second > first + 1) & (second + 1 < end)
    if not fits.all() or blank.has_any(first + 1) or blank.has_any(second + 1):
        return None
    return first, second


def _next(spaces: Positions, at: Positions, end: Positions) -> Positions:
    """The first space at or behind `at`, or the line's end."""
    return np.minimum(spaces[np.searchsorted(spaces, at)], end)


class _Blank:
    """Steps over runs of spaces, tabs and NULs, as InfluxDB does between sections."""

    def __init__(self, clean: Bytes) -> None:
        self._clean = clean
        self._filled: Positions | None = None

    def has_any(self, at: Positions) -> bool:
        """Whether white space stands at any of these positions."""
        return bool(self._is_blank(self._clean[at]).any())

    def skip(self, at: Positions) -> Positions:
        """The first byte at or behind `at` that is not white space."""
        inside = np.minimum(at, len(self._clean) - 1)
        if not self.has_any(inside):
            return at
        if self._filled is None:
            self._filled = np.append(np.flatnonzero(~self._is_blank(self._clean)), len(self._clean))
        found: Positions = self._filled[np.searchsorted(self._filled, at)]
        return found

    @staticmethod
    def _is_blank(values: Bytes) -> NDArray[np.bool_]:
        blank: NDArray[np.bool_] = (values == ord(" ")) | (values == ord("\t")) | (values == 0)
        return blank
