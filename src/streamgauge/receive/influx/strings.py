"""Finds what is hidden from the grammar: separators after a backslash, and inside strings.

Works on a copy of the body in which they are overwritten, so that every later step may split at
the bytes it sees and read the content off the original at the same positions.

Most strings are found with arrays: on a line whose quotes pair up and open after a `=`. The rest
(quotes in a field key, a string with a line break, a string that never ends) is settled by one
regular expression for each such line. A line break is believed to be inside a string only if a
whole field section comes of it, so that one stray quote costs one line and not the rest.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.blanks import Blanks, Bytes, Positions

OPENED, CLOSED = 1, 2
"""Stand in the copy for the quotes around a string."""
_FILLER = ord("x")
_SEPARATORS = np.zeros(256, bool)
_SEPARATORS[list(b",= ")] = True

_KEY = rb"(?:\\[,= ]|[^,= \n])++"
_STRING = rb'"(?:\\[\s\S]|[^"\\])*+"'
_PAIR = rb"%b=(?:%b|[^\",= \n][^,= \n]*+)" % (_KEY, _STRING)
_FIELDS = re.compile(rb"%b(?:,%b)*+(?= |\r?\n|\r?\Z)" % (_PAIR, _PAIR))
_STRING_IN_PAIR = re.compile(rb"%b=(?:(%b)|[^,= \n]*+),?" % (_KEY, _STRING))


def hide(body: bytes, raw: Bytes) -> Bytes:
    """The copy of `raw` (which is `body` as an array) in which only real separators are left.

    `raw` itself is given back when there is nothing to hide.
    """
    has_quotes = b'"' in body
    if not has_quotes and b"\\" not in body:
        return raw
    clean = raw.copy()
    after = np.flatnonzero(raw[:-1] == ord("\\")) + 1
    clean[after[_SEPARATORS[raw[after]]]] = _FILLER
    if has_quotes:
        opens, closes = _find_strings(body, raw, clean)
        _cover(clean, opens, closes)
    return clean


def _cover(clean: Bytes, opens: Positions, closes: Positions) -> None:
    steps = np.zeros(len(clean) + 1, np.int8)
    steps[opens + 1] += 1
    steps[closes] -= 1
    inside = np.cumsum(steps[:-1], dtype=np.int8).astype(bool)
    clean[inside] = _FILLER
    clean[opens] = OPENED
    clean[closes] = CLOSED


def _find_strings(body: bytes, raw: Bytes, clean: Bytes) -> tuple[Positions, Positions]:
    """Positions of the opening and the closing quotes, in order."""
    breaks = np.flatnonzero(raw == ord("\n"))
    starts = np.concatenate(([0], breaks[:-1] + 1))
    fields_at = _field_sections(clean, starts, breaks)
    quotes = _unescaped_quotes(raw)
    line = np.searchsorted(breaks, quotes)
    in_fields = quotes > fields_at[line]
    quotes, line = quotes[in_fields], line[in_fields]
    line_quotes = np.bincount(line, minlength=len(breaks))
    rank = np.arange(len(quotes)) - (np.cumsum(line_quotes) - line_quotes)[line]
    is_odd_opening = (rank % 2 == 0) & (clean[quotes - 1] != ord("="))
    is_irregular = line_quotes % 2 == 1
    is_irregular[line[is_odd_opening]] = True
    settled = is_irregular.copy()
    extra = _settle(body, fields_at, breaks, np.flatnonzero(is_irregular), settled)
    quotes = quotes[~settled[line]]
    opens, closes = quotes[0::2], quotes[1::2]
    if extra:
        spans = np.array(extra, np.int64)
        opens = np.sort(np.concatenate((opens, spans[:, 0])))
        closes = np.sort(np.concatenate((closes, spans[:, 1])))
    return opens, closes


def _field_sections(clean: Bytes, starts: Positions, breaks: Positions) -> Positions:
    """Where the field section of each physical line begins; past its end if it has none."""
    blanks = Blanks(clean)
    starts = blanks.skip(starts)
    spaces = np.append(np.flatnonzero(clean == ord(" ")), len(clean))
    after_key = spaces[np.searchsorted(spaces, starts)]
    has_fields = (after_key < breaks) & (clean[starts] != ord("#"))
    return np.where(has_fields, blanks.skip(after_key), len(clean))


def _unescaped_quotes(raw: Bytes) -> Positions:
    """Quotes before which an even number of backslashes stands."""
    quotes = np.flatnonzero(raw == ord('"'))
    slashes = np.flatnonzero(raw == ord("\\"))
    if not len(slashes):
        return quotes
    is_first = np.append(True, np.diff(slashes) > 1)
    run_start = slashes[np.maximum.accumulate(np.where(is_first, np.arange(len(slashes)), 0))]
    before = np.maximum(np.searchsorted(slashes, quotes) - 1, 0)
    run_length = np.where(slashes[before] == quotes - 1, quotes - run_start[before], 0)
    unescaped: Positions = quotes[run_length % 2 == 0]
    return unescaped


def _settle(
    body: bytes,
    fields_at: Positions,
    breaks: Positions,
    irregular: Positions,
    settled: NDArray[np.bool_],
) -> list[tuple[int, int]]:
    """The strings of the lines that arrays cannot decide; marks every line they reach over."""
    spans: list[tuple[int, int]] = []
    reached = -1
    for line in irregular:
        if line <= reached:
            continue
        match = _FIELDS.match(body, int(fields_at[line]))
        if match is None:
            continue
        spans += [
            (pair.start(1), pair.end(1) - 1)
            for pair in _STRING_IN_PAIR.finditer(body, match.start(), match.end())
            if pair.group(1) is not None
        ]
        reached = int(np.searchsorted(breaks, match.end()))
        settled[line : reached + 1] = True
    return spans
