"""The line protocol: a body in, tables and refused lines out. Never raises for bad input.

1. Bytes that are not UTF-8 condemn their line, and are masked.
2. `lines`: the body is cut into lines and sections; `fields`: the sections into typed values.
3. `book`: each distinct series key is read once, and known again in later bodies.
4. `stamps`: precision, and what is refused; `measurements`: what the fields mean.
5. `tables`: the good lines become columns; `refusals`: the first hundred bad ones get a reason.

Every step works on arrays over all lines; Python runs once for each *distinct* key or name, and
for each refused line that is told.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.errors import PayloadError
from streamgauge.receive.guard import SeriesGuard
from streamgauge.receive.influx import tokens
from streamgauge.receive.influx.admitting import guarded, limited
from streamgauge.receive.influx.blanks import Positions
from streamgauge.receive.influx.book import Book, distinct
from streamgauge.receive.influx.encoding import mask_bad_utf8
from streamgauge.receive.influx.faults import Fault
from streamgauge.receive.influx.fields import Fields, explode
from streamgauge.receive.influx.lines import Lines, split
from streamgauge.receive.influx.measurements import fill_columns
from streamgauge.receive.influx.parts import Part, cut, join
from streamgauge.receive.influx.refusals import Refusals
from streamgauge.receive.influx.series import SeriesKind
from streamgauge.receive.influx.stamps import NANOSECONDS, read_stamps, stamps_refused
from streamgauge.receive.influx.strings import hide
from streamgauge.receive.influx.tables import Understood, build
from streamgauge.receive.quotas import Admission
from streamgauge.receive.schema import NO_MESSAGES, NO_POINTS, NO_QUEUE

_BOOK = Book()


def parse(
    body: bytes,
    *,
    precision: str,
    db: str,
    received_at_ns: int,
    max_ahead_s: float = 3600,
    guard: SeriesGuard | None = None,
    admission: Admission | None = None,
) -> Parsed:
    """Understand a body of line protocol.

    Args:
        body: lines, unzipped.
        precision: unit of the time stamps: n, ns, u, us, µ, ms, s, m, h, or "" for ns.
        db: the name space that every row is marked with.
        received_at_ns: stands in for a missing time stamp; negative refuses such lines.
        max_ahead_s: how far ahead of `received_at_ns` a time stamp may be, seconds.
        guard: refuses lines of series that it does not let in.
        admission: of this body through the quotas: refuses lines of tenants over their limits.

    Raises:
        PayloadError: an unknown precision.
    """
    unit_ns = NANOSECONDS.get(precision)
    if unit_ns is None:
        raise PayloadError(f"unknown precision {precision!r}; use one of n, u, ms, s, m, h")
    asked = _Asked(unit_ns, db, received_at_ns, max_ahead_s, guard, admission)
    safe, bad_at = mask_bad_utf8(body)
    raw = np.frombuffer(safe, np.uint8)
    whole = Part(body, raw, hide(safe, raw), bad_at, 1)
    return join([_parse_part(part, asked) for part in cut(whole)])


@dataclass(frozen=True, slots=True)
class _Asked:
    """What holds for all lines of a body."""

    unit_ns: int
    db: str
    received_at_ns: int
    max_ahead_s: float
    guard: SeriesGuard | None
    admission: Admission | None


def _parse_part(part: Part, asked: _Asked) -> Parsed:
    lines = split(part.raw, part.clean, part.first_number)
    if not len(lines):
        return Parsed(Batch(NO_MESSAGES, NO_QUEUE, NO_POINTS), 0, 0)
    fault = _shape_faults(lines, part.bad_at)
    time_ns = _stamps(lines, fault, asked)
    fields = _fields(lines, fault)
    shelf = _BOOK.shelf()
    keys = tokens.slices(lines.raw, lines.start, lines.key_end)
    code, series = distinct(shelf.find(keys))
    kind = shelf.kinds(series)[code]
    fault[(kind == SeriesKind.REFUSED) & (fault != Fault.ENCODING)] = Fault.SYNTAX
    columns = fill_columns(fields, kind)
    fault[columns.is_bad_count & (fault == Fault.NONE)] = Fault.COUNT
    has_stamps = bool((lines.stamp_start < lines.stamp_end)[fault == Fault.NONE].all())
    reasons = guarded(asked.guard, shelf, series, code, fault)
    limited(asked.admission, shelf, series, code, lines, fault)
    is_good = fault == Fault.NONE
    understood = Understood(asked.db, shelf, series, code, kind, time_ns, is_good)
    refusals = Refusals(
        part.body, lines, fault, time_ns, asked.max_ahead_s, code, reasons, asked.admission
    )
    return Parsed(
        build(understood, fields, columns),
        line_count=len(lines),
        rejected_count=refusals.count,
        rejected=refusals.told(shelf, series),
        has_all_timestamps=has_stamps,
        rejected_by=refusals.counted(shelf, series),
    )


def _shape_faults(lines: Lines, bad_at: Positions) -> NDArray[np.uint8]:
    """Faults [n_lines] that show without reading the sections."""
    fault = np.where(lines.is_whole, np.uint8(Fault.NONE), np.uint8(Fault.SYNTAX))
    if len(bad_at):
        at = np.searchsorted(lines.start, bad_at, side="right") - 1
        fault[at[(at >= 0) & (bad_at < lines.end[at])]] = Fault.ENCODING
    return fault


def _stamps(lines: Lines, fault: NDArray[np.uint8], asked: _Asked) -> NDArray[np.int64]:
    """Time stamps in nanoseconds; marks the lines whose time stamp is none, or refused."""
    time_ns, is_bad = read_stamps(
        lines.raw, lines.stamp_start, lines.stamp_end, asked.unit_ns, asked.received_at_ns
    )
    fault[is_bad & (fault == Fault.NONE)] = Fault.SYNTAX
    is_refused = stamps_refused(time_ns, asked.received_at_ns, asked.max_ahead_s)
    fault[is_refused & (fault == Fault.NONE)] = Fault.STAMP
    return time_ns


def _fields(lines: Lines, fault: NDArray[np.uint8]) -> Fields:
    """The fields of the lines that have any; marks those whose section is none."""
    whole = np.flatnonzero(lines.fields_start < lines.fields_end)
    everything = len(whole) == len(lines)
    start, end = lines.fields_start, lines.fields_end
    if not everything:
        start, end = start[whole], end[whole]
    fields = explode(lines.raw, lines.clean, start, end)
    malformed = whole[fields.malformed]
    fault[malformed[fault[malformed] != Fault.ENCODING]] = Fault.SYNTAX
    return fields if everything else fields.at_lines(whole)
