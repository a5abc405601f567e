"""Reads what `influx_inspect export` writes, or any file of line protocol.

Source: influxdata/influxdb 1.8 cmd/influx_inspect/export/export.go: comments name database and
policy, `# DDL` holds statements, and each line after `# DML` is one field of a series.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import numpy as np
import polars as pl

from streamgauge.app.imports.frames import Read, as_frame
from streamgauge.app.imports.opening import opened
from streamgauge.receive.influx.encoding import mask_bad_utf8
from streamgauge.receive.influx.lines import Lines, split
from streamgauge.receive.influx.stamps import read_stamps
from streamgauge.receive.influx.strings import hide
from streamgauge.receive.influx.tokens import as_series, slices

BLOCK_BYTES = 8_000_000
MAX_LINE_BYTES = 64_000_000
MAX_TOLD = 5
_MARK = re.compile(rb"^# ?(DDL|DML|CONTEXT-DATABASE:|CONTEXT-RETENTION-POLICY:)(.*?)\r?\n", re.M)
_LINE_END = re.compile(rb" -?\d+\r?\n")
_SINGLE = r'^((?:[^\\=]|\\.)*)=(?:"(?s:[^"\\]|\\.)*"|[^,"]*)$'
"""One field, and its name."""


class InfluxFile:
    """A file of an export; one scope, since fields of one point may stand anywhere in it."""

    def __init__(self, path: Path, db: str | None, from_ns: int, to_ns: int) -> None:
        self._path, self._db, self._from_ns, self._to_ns = path, db, from_ns, to_ns

    def scopes(self) -> list[list[Any]]:
        """The whole file."""
        return [[self._path.name]]

    def count(self, scope: list[Any]) -> int | None:  # noqa: ARG002
        """A file says nothing but its lines."""
        return None

    def read(self, scope: list[Any]) -> Iterator[Read]:  # noqa: ARG002
        """Blocks of it."""
        db, policy, is_data = "", "", True
        with opened(self._path) as file:
            for block in _blocks(file.plain):
                at = 0
                for mark in [*_MARK.finditer(block), None]:
                    end = mark.start() if mark else len(block)
                    if is_data and end > at:
                        yield self._piece(block[at:end], db, policy, file.ratio)
                    if mark is None:
                        break
                    at, value = mark.end(), mark[2].decode(errors="replace").strip()
                    match mark[1]:
                        case b"CONTEXT-DATABASE:":
                            db, policy = value, ""
                        case b"CONTEXT-RETENTION-POLICY:":
                            policy = value
                        case section:
                            is_data = section == b"DML"

    def _piece(self, text: bytes, db: str, policy: str, ratio: float) -> Read:
        safe, bad_at = mask_bad_utf8(text)
        raw = np.frombuffer(safe, np.uint8)
        lines = split(raw, hide(safe, raw))
        frame, is_bad = _frame(lines, self._db or db or "imported", "" if self._db else policy)
        if len(bad_at):
            is_bad[np.searchsorted(lines.start, bad_at, side="right") - 1] = True
        told = [_told(text, lines, at) for at in np.flatnonzero(is_bad)[:MAX_TOLD]]
        good = frame.filter(
            ~pl.Series(is_bad),
            pl.col("stamp").is_between(self._from_ns, self._to_ns, closed="left"),
        )
        return Read(good, len(good), ratio, int(is_bad.sum()), told)


def write_question(db: str, policy: str) -> str:
    """The query of a write, quoted."""
    return quote(db, safe="") + (f"&rp={quote(policy, safe='')}" if policy else "")


def _frame(lines: Lines, db: str, policy: str) -> tuple[pl.DataFrame, Any]:
    stamp, is_bad = read_stamps(lines.raw, lines.stamp_start, lines.stamp_end, 1, 0)
    is_bad = is_bad | ~lines.is_whole | (lines.stamp_start >= lines.stamp_end)
    fields = as_series(slices(lines.raw, lines.fields_start, lines.fields_end))
    frame = as_frame(
        {
            "db": write_question(db, policy),
            "series": as_series(slices(lines.raw, lines.start, lines.key_end)),
            "stamp": pl.Series(stamp),
            "name": fields.str.extract(_SINGLE, 1).fill_null(fields),
            "fields": fields,
        }
    )
    return frame, is_bad


def _told(text: bytes, lines: Lines, at: int) -> str:
    line = text[int(lines.start[at]) : int(lines.end[at])][:200].decode(errors="replace")
    return f"no line of an export (measurement,tags field=value stamp): {line!r}"


def _blocks(plain: IO[bytes]) -> Iterator[bytes]:
    """Whole lines; a string may hold line breaks, so that a block ends where a stamp does."""
    rest = b""
    while block := plain.read(BLOCK_BYTES):
        rest += block
        end = _last_end(rest)
        if end:
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > MAX_LINE_BYTES:
            yield rest + b"\n"
            rest = b""
    if rest:
        yield rest + b"\n"


def _last_end(text: bytes) -> int:
    """Behind the last line that ends in a stamp; 0: there is none near the end."""
    near = max(len(text) - 1_000_000, 0)
    ends = [found.end() for found in _LINE_END.finditer(text, near)]
    return ends[-1] if ends else text.rfind(b"\n") + 1 if text.rstrip().startswith(b"#") else 0
