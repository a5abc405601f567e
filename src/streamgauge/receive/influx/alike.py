"""The field sections of lines that all have the same fields: plain numbers, in the same order.

That is what most senders send. A column of numbers is then taken from each line, and neither names
nor types are read line by line. Lines of any other shape are left to `fields`: None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from streamgauge.receive.influx import eights, tokens
from streamgauge.receive.influx.blanks import Bytes, Positions

_MAX_FIELDS = 32
"""Beyond it, doing one field after the other gains nothing."""
_MAX_NAME_BYTES = 64
_TWO_53 = 2**53
"""From here on an integer is kept as text, too."""
_STARTS_NUMBER = np.zeros(256, bool)
_STARTS_NUMBER[list(b"0123456789.-")] = True


@dataclass(frozen=True, slots=True)
class Column:
    """One field of every line."""

    name: str
    """As it was written, without a backslash."""
    is_integer: bool
    """A signed integer; else a float."""
    value: NDArray[np.float64]
    exact: NDArray[np.int64]
    """Of an integer."""


def read_columns(sent: Bytes, marks: Positions, bounds: Positions) -> list[Column] | None:
    """The fields of sections that lie one after the other.

    Args:
        sent: The sections, each ending in a comma.
        marks: Positions of `=` and `,`, which take turns.
        bounds: [n_lines + 1] where the sections begin and end.
    """
    line_count = len(bounds) - 1
    per_line, rest = divmod(len(marks), max(line_count, 1))
    if rest or not 0 < per_line <= 2 * _MAX_FIELDS:
        return None
    table = marks.reshape(line_count, per_line)
    if not np.array_equal(table[:, -1], bounds[1:] - 1):
        return None
    columns: list[Column] = []
    start = bounds[:-1]
    for at in range(0, per_line, 2):
        equals, comma = table[:, at], table[:, at + 1]
        name = _name(sent, start, equals)
        column = _column(sent, name, equals + 1, comma) if name else None
        if column is None or any(column.name == other.name for other in columns):
            return None
        columns.append(column)
        start = comma + 1
    return columns


def _name(sent: Bytes, start: Positions, end: Positions) -> str:
    """The name in all lines; empty: they differ, or it is not a plain one."""
    size = int(end[0] - start[0])
    if not 0 < size <= _MAX_NAME_BYTES or not (end - start == size).all():
        return ""
    name = sent[start[0] : end[0]].tobytes()
    is_plain = b"\\" not in name and eights.are_all(sent, start, name)
    return name.decode() if is_plain else ""


def _column(sent: Bytes, name: str, start: Positions, end: Positions) -> Column | None:
    """The values; None: they are not all integers or all floats."""
    if (end <= start).any() or not _STARTS_NUMBER[sent[start]].all():
        return None
    last = sent[end - 1]
    if (last == ord("i")).all():
        exact = eights.whole_numbers(sent, start, end - 1)
        if exact is None:
            exact = _parsed(sent, start, end - 1, pl.Int64)
        if exact is None or max(int(exact.max()), -int(exact.min())) >= _TWO_53:
            return None
        return Column(name, True, exact.astype(np.float64), exact)
    value = eights.decimals(sent, start, end)
    if value is None:
        value = _parsed(sent, start, end, pl.Float64)
    if value is None or not np.isfinite(value).all():
        return None
    return Column(name, False, value, np.zeros(len(value), np.int64))


def _parsed(
    sent: Bytes, start: Positions, end: Positions, kind: type[pl.Float64 | pl.Int64]
) -> NDArray[Any] | None:
    """Numbers that are long, or have a sign or an exponent."""
    found, is_good = tokens.numbers(tokens.slices(sent, start, end), kind)
    return found if is_good.all() else None
