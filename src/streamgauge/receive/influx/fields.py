"""Takes the field sections apart: one row a field, with its type and value.

`key=value,key=value` is a sequence in which `=` and `,` take turns once what is hidden in strings
and behind backslashes is overwritten; a line where they do not is refused.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.receive.influx import tokens
from streamgauge.receive.influx.alike import Column, read_columns
from streamgauge.receive.influx.blanks import Bytes, Positions
from streamgauge.receive.influx.keys import unescape
from streamgauge.receive.influx.strings import CLOSED, OPENED

FLOAT, INTEGER, UNSIGNED, BOOLEAN, STRING, WRONG = range(6)
TYPE_LETTERS = ["f", "i", "u", "b", "s"]
"""InfluxDB's names of the types, in the order of the constants."""

TRUE_WORDS = ("t", "T", "true", "True", "TRUE")
FALSE_WORDS = ("f", "F", "false", "False", "FALSE")

_STARTS_NUMBER = np.zeros(256, bool)
_STARTS_NUMBER[list(b"0123456789.-")] = True


@dataclass(frozen=True, slots=True)
class Fields:
    """Every field of the lines given; arrays are [n_fields], in the order of the body."""

    line: Positions
    """Index into the lines given."""
    name: NDArray[np.int32]
    """Index into `names`."""
    names: list[str]
    """Distinct names, unescaped."""
    type: NDArray[np.uint8]
    value: NDArray[np.float64]
    """Numbers, and 0 or 1 for booleans; an integer beyond 2^53 is rounded here."""
    exact: NDArray[np.int64]
    """The value of an integer; unsigned ones are to be read as uint64."""
    parts: pa.StringArray
    """The sections cut up; see `text`."""
    malformed: NDArray[np.bool_]
    """[n_lines]: whether the line's section is no field section, or a value is none."""
    columns: list[Column] = field(default_factory=list)
    """The same once more, if every line has the same fields, all plain numbers; else none."""

    def text(self, at: Positions) -> pa.StringArray:
        """The values of these fields as they were written, without quotes and suffix."""
        return _text(self.parts, at)

    def at_lines(self, lines: Positions) -> Fields:
        """The same fields, numbered by the lines that those given were taken from."""
        return replace(self, line=lines[self.line])


def explode(raw: Bytes, clean: Bytes, start: Positions, end: Positions) -> Fields:
    """The fields in the sections [start, end), which are not empty."""
    sent, seen, bounds = _gather(raw, clean, start, end)
    malformed = np.zeros(len(start), bool)
    marks = np.flatnonzero((seen == ord("=")) | (seen == ord(",")))
    if not _takes_turns(seen[marks]):
        malformed = _out_of_turn(seen, marks, bounds)
        good = np.flatnonzero(~malformed)
        part = explode(raw, clean, start[good], end[good])
        malformed[good] = part.malformed
        return replace(part.at_lines(good), malformed=malformed, columns=[])
    columns = read_columns(sent, marks, bounds)
    if columns is not None:
        return _alike(columns, malformed)
    return _typed(sent, seen, marks[0::2], marks[1::2], bounds, malformed)


def _alike(columns: list[Column], malformed: NDArray[np.bool_]) -> Fields:
    """Columns as fields in the order of the body. None of them is ever shown as text."""
    line_count, each = len(malformed), len(columns)
    value, exact = np.empty((line_count, each)), np.empty((line_count, each), np.int64)
    for at, column in enumerate(columns):
        value[:, at], exact[:, at] = column.value, column.exact
    kinds = np.array([INTEGER if one.is_integer else FLOAT for one in columns], np.uint8)
    return Fields(
        line=np.repeat(np.arange(line_count), each),
        name=np.tile(np.arange(each, dtype=np.int32), line_count),
        names=[column.name for column in columns],
        type=np.tile(kinds, line_count),
        value=value.reshape(-1),
        exact=exact.reshape(-1),
        parts=pa.array([], pa.string()),
        malformed=malformed,
        columns=columns,
    )


def _gather(
    raw: Bytes, clean: Bytes, start: Positions, end: Positions
) -> tuple[Bytes, Bytes, Positions]:
    """The sections one after the other, each ending in a comma: as sent, as seen, and bounds."""
    sent = _bytes_of(tokens.slices(raw, start, end + 1))
    seen = sent.copy() if clean is raw else _bytes_of(tokens.slices(clean, start, end + 1)).copy()
    bounds = np.concatenate(([0], np.cumsum(end + 1 - start)))
    seen[bounds[1:] - 1] = ord(",")
    return sent, seen, bounds


def _bytes_of(strings: pa.Array) -> Bytes:
    data = strings.buffers()[2]
    return np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def _takes_turns(kinds: Bytes) -> bool:
    return bool(
        len(kinds) % 2 == 0 and (kinds[0::2] == ord("=")).all() and (kinds[1::2] == ord(",")).all()
    )


def _out_of_turn(seen: Bytes, marks: Positions, bounds: Positions) -> NDArray[np.bool_]:
    """The lines in which `=` and `,` do not take turns."""
    first = np.searchsorted(marks, bounds[:-1])
    count = np.diff(np.append(first, len(marks)))
    rank = np.arange(len(marks)) - np.repeat(first, count)
    wrong = seen[marks] != np.where(rank % 2 == 0, ord("="), ord(","))
    wrong_count = np.bincount(np.repeat(np.arange(len(count)), count), wrong, minlength=len(count))
    out: NDArray[np.bool_] = (count % 2 == 1) | (wrong_count > 0)
    return out


def _typed(
    sent: Bytes,
    seen: Bytes,
    equals: Positions,
    commas: Positions,
    bounds: Positions,
    malformed: NDArray[np.bool_],
) -> Fields:
    line = _lines_of(commas, bounds)
    name_start = np.concatenate(([0], commas + 1))[: len(equals)]
    first, last = seen[equals + 1], seen[commas - 1]
    is_string = (first == OPENED) & (last == CLOSED) & (sent[equals + 1] == ord('"'))
    is_number = _STARTS_NUMBER[first]
    is_integer, is_unsigned = is_number & (last == ord("i")), is_number & (last == ord("u"))
    cut = is_integer | is_unsigned | is_string
    edges = np.empty(4 * len(equals) + 1, np.int32)
    edges[0:-1:4], edges[1::4] = name_start, equals
    edges[2::4], edges[3::4], edges[-1] = equals + 1 + is_string, commas - cut, len(sent)
    parts = tokens.pieces(sent, edges)
    every_fourth = np.arange(0, 4 * len(equals), 4, dtype=np.int32)
    name, names = tokens.encode(parts.take(pa.array(every_fourth)))
    kind = WRONG * ~is_number + INTEGER * is_integer + UNSIGNED * is_unsigned
    kind = (kind - (WRONG - STRING) * is_string).astype(np.uint8)
    value, exact = _values(parts, kind)
    kind[equals == name_start] = WRONG  # a value without a name
    malformed = malformed | (np.bincount(line[kind == WRONG], minlength=len(malformed)) > 0)
    return Fields(
        line, name, [unescape(word) for word in names], kind, value, exact, parts, malformed
    )


def _lines_of(commas: Positions, bounds: Positions) -> Positions:
    """Which line the field that ends at each comma belongs to."""
    line_count = len(bounds) - 1
    each = len(commas) // max(line_count, 1)
    if each * line_count == len(commas) and np.array_equal(
        commas[each - 1 :: each] if each else commas, bounds[1:] - 1
    ):
        return np.repeat(np.arange(line_count), each)
    return np.searchsorted(bounds[1:], commas, side="right")


def _values(
    parts: pa.StringArray, kind: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values of all fields; `kind` becomes WRONG where the text is none of its type."""
    value, exact = np.zeros(len(kind)), np.zeros(len(kind), np.int64)
    at = np.flatnonzero(kind == FLOAT)
    if len(at):
        found, is_good = tokens.numbers(_text(parts, at), pl.Float64)
        value[at] = found
        kind[at[~(is_good & np.isfinite(found))]] = WRONG
    for whole, polars_type in ((INTEGER, pl.Int64), (UNSIGNED, pl.UInt64)):
        at = np.flatnonzero(kind == whole)
        if len(at):
            found, is_good = tokens.numbers(_text(parts, at), polars_type)
            value[at], exact[at] = found, found.view(np.int64)
            kind[at[~is_good]] = WRONG
    _booleans(parts, kind, value)
    return value, exact


def _booleans(parts: pa.StringArray, kind: NDArray[np.uint8], value: NDArray[np.float64]) -> None:
    """What is still WRONG may be a boolean."""
    at = np.flatnonzero(kind == WRONG)
    if not len(at):
        return
    words = tokens.as_series(_text(parts, at))
    is_true = words.is_in(list(TRUE_WORDS)).to_numpy()
    is_false = words.is_in(list(FALSE_WORDS)).to_numpy()
    value[at[is_true]] = 1.0
    kind[at[is_true | is_false]] = BOOLEAN


def _text(parts: pa.StringArray, at: Positions) -> pa.StringArray:
    return parts.take(pa.array(4 * at + 2))
