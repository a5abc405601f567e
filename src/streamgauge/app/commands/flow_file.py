"""Reads a CSV of flows line by line: good lines become items of the API, bad ones are named."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamgauge.model.errors import PayloadError
from streamgauge.web.flow_items import FIELDS, ItemError, read_item

_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_FLAG_FIELDS = ("retired", "remove")
_CLEARS = "-"
"""In a cell: take away what was said, as null does in JSON."""
Item = dict[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file: an item, or what is wrong with it."""

    number: int
    """1 for the header."""
    item: Item
    fault: str = ""


def read_file(path: Path, now: float) -> Iterator[Line]:
    """Every line but the header and empty ones.

    Raises:
        PayloadError: the file cannot be read, or its header names something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise PayloadError(f"{path}: cannot be read: {error}") from error
    lines = text.splitlines(keepends=True)
    header = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=";" if header.count(";") > header.count(",") else ",")
    columns = [name.strip().lower() for name in next(reader, [])]
    _check(path, columns)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _line(reader.line_num, columns, cells, now)
    except csv.Error as error:
        raise PayloadError(f"{path}, line {reader.line_num}: {error}") from error


def _check(path: Path, columns: list[str]) -> None:
    accepted = f"accepted are {', '.join(FIELDS)}"
    if strange := [name for name in columns if name not in FIELDS]:
        raise PayloadError(f"{path}, line 1: the column {strange[0]!r} is not known; {accepted}")
    if "tenant" not in columns:
        raise PayloadError(f"{path}, line 1: a header with a column `tenant` is needed; {accepted}")
    if len(columns) != len(set(columns)):
        raise PayloadError(f"{path}, line 1: a column stands there twice")


def _line(number: int, columns: list[str], cells: list[str], now: float) -> Line:
    if len(cells) > len(columns):
        return Line(number, {}, f"{len(cells)} cells, but the header has {len(columns)} columns")
    item: Item = {}
    for name, cell in zip(columns, (cell.strip() for cell in cells), strict=False):
        if cell:
            item[name] = _value(name, cell)
    try:
        read_item(item, now)
    except ItemError as error:
        return Line(number, item, str(error))
    return Line(number, item)


def _value(name: str, cell: str) -> object:
    if name in _FLAG_FIELDS:
        return _FLAGS.get(cell.lower(), cell)
    return None if cell == _CLEARS and name != "tenant" else cell
