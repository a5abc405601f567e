"""Reads the lines of a body as JSON objects: a frame of the good ones, and which are bad.

The whole body is read at once. Only where that fails, halves of it are tried until the bad lines
stand alone; a body with too many of them is refused as a whole, so that this is bounded.

Source: https://github.com/ndjson/ndjson-spec (blank lines are left out).
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from streamgauge.model.errors import PayloadError
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.bodies import BodyTooLarge

MAX_LINES = 250_000
"""Of one body: each takes some 500 bytes of memory, however short it is."""
MAX_UNREADABLE = 500
"""Bad lines that are looked for in a body."""
MAX_EXPLAINED_BYTES = 1_000_000
"""Of a bad line; of a longer one it is not said where it is wrong."""
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"
_Items = tuple[tuple[str, pl.DataType], ...]
_TIME_IS_WHOLE = re.compile(rb'[^\n]*?"time"\s*:\s*[0-9]+\s*[,}]')
_FUTILE_READS = 100
"""Bodies to read in full after one in which keys were looked for in vain."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of a body that are not blank."""

    body: bytes
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    """[n_lines] without the end of line."""
    number: NDArray[np.int64]
    """[n_lines] 1 for the first of the body, blank ones counted."""

    def __getitem__(self, at: int) -> bytes:
        return self.body[self.start[at] : self.end[at]]


@dataclass(frozen=True, slots=True)
class Objects:
    """What could be read."""

    frame: pl.DataFrame
    """One row a good line, null where it does not have a key. Numbers are strings where one of the
    lines has something else in place of a number; `time` is whole numbers where all of them are."""
    line: NDArray[np.int64] | None
    """[n_rows] index into the lines; None: all of them."""
    unreadable: tuple[int, ...] = ()
    """Lines that are no JSON objects."""


def without_mark(body: bytes) -> bytes:
    """The body without a byte order mark."""
    return body.removeprefix(_BOM)


def split(body: bytes) -> Lines:
    """Where the lines stand that are not blank."""
    raw = np.frombuffer(body, np.uint8)
    newlines = np.flatnonzero(raw == ord("\n"))
    start = np.concatenate(([0], newlines + 1))
    end = np.concatenate((newlines, [len(raw)]))
    number = np.arange(1, len(start) + 1)
    if len(start) and start[-1] == len(raw):
        start, end, number = start[:-1], end[:-1], number[:-1]
    if not len(start):
        return Lines(body, start, end, number)
    has_content = np.logical_or.reduceat(~np.isin(raw, np.frombuffer(_BLANK, np.uint8)), start)
    return Lines(body, start[has_content], end[has_content], number[has_content])


def read_objects(body: bytes, keys: tuple[str, ...], numbers: tuple[str, ...]) -> Objects:
    """The values of some keys of each line.

    Args:
        body: without a byte order mark.
        keys: wanted as text.
        numbers: wanted as numbers.

    Raises:
        BodyTooLarge: more than MAX_LINES.
        PayloadError: more than MAX_UNREADABLE lines are no JSON objects.
    """
    line_count = int(np.count_nonzero(np.frombuffer(body, np.uint8) == ord("\n"))) + 1
    if line_count > MAX_LINES:
        raise BodyTooLarge("lines of one body", line_count, MAX_LINES)
    text, typed, whole = _schemas(keys, numbers)
    frame = _HABIT.read(body, whole if _TIME_IS_WHOLE.match(body) else typed)
    if frame is None:
        frame = _read(body, text)
    if frame is not None:
        return Objects(frame, None)
    lines = split(body)
    bad = _unreadable(lines, text)
    good = np.setdiff1d(np.arange(len(lines.start)), np.array(bad, np.int64))
    kept = b"\n".join([lines[at] for at in good.tolist()])
    frame = _read(kept, text)
    if frame is None:
        raise PayloadError("the body cannot be read as NDJSON")
    return Objects(frame, good, tuple(bad))


@lru_cache(4)
def _schemas(keys: tuple[str, ...], numbers: tuple[str, ...]) -> tuple[pl.Schema, ...]:
    """Everything as text; numbers as such; and `time` as a whole number, too."""
    text = pl.Schema(dict.fromkeys((*keys, *numbers), pl.String()))
    typed = pl.Schema(text | dict.fromkeys(numbers, pl.Float64()))
    return text, typed, pl.Schema(typed | {"time": pl.Int64()})


class Habit:
    """The keys that bodies had so far: to look for these alone takes less time.

    That no line has another one is seen by counting: a key has a colon behind it, and each value
    that was read has one of them. Threads may share it; what one of them forgets is learned again.
    """

    def __init__(self) -> None:
        self._keys: frozenset[str] = frozenset()
        self._in_full = 0

    def read(self, body: bytes, schema: pl.Schema) -> pl.DataFrame | None:
        """All of the schema's columns; None where a line cannot be read."""
        known = self._keys
        chosen = _narrow(tuple(schema.items()), known) if known and not self._in_full else schema
        frame = _read(body, chosen)
        if frame is None:
            return None
        if chosen is not schema:
            if _has_all(frame, body):
                return frame.hstack(_nulls(tuple(schema.items()), known, frame.height))
            frame = _read(body, schema)
            if frame is None:
                return None
        self._learn(frame, is_narrow=chosen is not schema)
        return frame

    def _learn(self, frame: pl.DataFrame, *, is_narrow: bool) -> None:
        told = {name for name in frame.columns if frame[name].null_count() < frame.height}
        if is_narrow:
            self._in_full = _FUTILE_READS if told <= self._keys else 0
        else:
            self._in_full = max(self._in_full - 1, 0)
        self._keys |= told


_HABIT = Habit()


@lru_cache(16)
def _narrow(schema: _Items, keys: frozenset[str]) -> pl.Schema:
    return pl.Schema({name: kind for name, kind in schema if name in keys})


@lru_cache(16)
def _nulls(schema: _Items, keys: frozenset[str], row_count: int) -> list[pl.Series]:
    """The columns of all other keys."""
    rest = {name: kind for name, kind in schema if name not in keys}
    return pl.DataFrame(schema=rest).clear(row_count).get_columns()


def _has_all(frame: pl.DataFrame, body: bytes) -> bool:
    """Whether a body has no more keys than values were read of it: in doubt, no."""
    told = sum(frame.height - column.null_count() for column in frame.get_columns())
    raw = np.frombuffer(body, np.uint8)
    is_colon = raw == ord(":")
    if np.count_nonzero(is_colon) == told:
        return True
    before = raw[np.flatnonzero(is_colon) - 1]
    return int(np.count_nonzero((before == ord('"')) | (before <= ord(" ")))) == told


def _read(body: bytes, schema: pl.Schema) -> pl.DataFrame | None:
    """The body as a frame; None where a line of it cannot be read."""
    if body[:1] != b"{":
        body = b"\n" + body  # else what begins like gzip, zlib or zstd would be unpacked
    try:
        return pl.read_ndjson(io.BytesIO(body), schema=schema)
    except PolarsError:
        return None


def _unreadable(lines: Lines, schema: pl.Schema) -> list[int]:
    """Which lines are no JSON objects, by halves: b of n lines in some b·log₂(n) readings."""
    bad: list[int] = []
    ranges = [(0, len(lines.start))]
    while ranges:
        first, last = ranges.pop()
        if _read(lines.body[lines.start[first] : lines.end[last - 1]], schema) is not None:
            continue
        if last - first == 1:
            bad.append(first)
            if len(bad) > MAX_UNREADABLE:
                raise PayloadError(_too_many(lines, bad[0]))
            continue
        middle = (first + last) // 2
        ranges += [(middle, last), (first, middle)]
    return bad


def _too_many(lines: Lines, first: int) -> str:
    _, text = unreadable_reason(lines[first])
    return (
        f"more than {MAX_UNREADABLE} lines are no JSON objects, and nothing was kept; "
        f"line {lines.number[first]}: {text}"
    )


def unreadable_reason(line: bytes) -> tuple[RefusalReason, str]:
    """Why a line is no JSON object, for people."""
    if len(line) > MAX_EXPLAINED_BYTES:
        return RefusalReason.SYNTAX, f"not JSON: something in its {len(line):,} bytes"
    try:
        return RefusalReason.SYNTAX, _syntax_reason(line.decode())
    except UnicodeDecodeError:
        return RefusalReason.ENCODING, "invalid UTF-8; text must be sent as UTF-8"


def _syntax_reason(text: str) -> str:
    try:
        value = json.loads(text)
    except RecursionError:
        return "nested too deeply"
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return "more than one JSON value; send one object a line"
        return f"not JSON: {error.msg.removesuffix(' at')} at column {error.colno}"
    except ValueError:
        return "a number is too long"
    if isinstance(value, dict):
        return "not JSON: NaN, an infinite number, or nested too deeply"
    return "not an object; send one object a line" + (", no array" * isinstance(value, list))
