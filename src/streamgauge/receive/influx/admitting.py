"""Asks the guard and the quotas whether the good lines of a body may come in.

Both are asked with sums over the columns: of distinct series, and of tenants. The lines that may
not come in are marked with the fault that says why.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.guard import Series, SeriesGuard
from streamgauge.receive.influx.book import ALL_TAGS, TENANT, Rows, Shelf
from streamgauge.receive.influx.faults import Fault
from streamgauge.receive.influx.lines import Lines
from streamgauge.receive.influx.series import SeriesKind
from streamgauge.receive.quotas import Admission, Usage

LIMIT_FAULTS = {
    RefusalReason.LINES_PER_S: Fault.LINES_PER_S,
    RefusalReason.BYTES_PER_S: Fault.BYTES_PER_S,
    RefusalReason.ACTIVE_SERIES: Fault.ACTIVE_SERIES,
}


def guarded(
    guard: SeriesGuard | None,
    shelf: Shelf,
    series: Rows,
    code: NDArray[np.int32],
    fault: NDArray[np.uint8],
) -> dict[int, str]:
    """Ask the guard for the series of good lines; marks the lines of those that are refused.

    Returns:
        Why, by position in `series`.
    """
    if guard is None:
        return {}
    asked = _of_good_lines(series, code, fault)
    found = guard.refusals(_seen(shelf, series[asked]))
    reasons = {int(asked[at]): reason for at, reason in found.items()}
    if reasons:
        is_refused = np.zeros(len(series), bool)
        is_refused[list(reasons)] = True
        fault[is_refused[code] & (fault == Fault.NONE)] = Fault.SERIES
    return reasons


def limited(
    admission: Admission | None,
    shelf: Shelf,
    series: Rows,
    code: NDArray[np.int32],
    lines: Lines,
    fault: NDArray[np.uint8],
) -> None:
    """Ask the quotas for the good lines; marks those of tenants that are over a limit."""
    if admission is None or not (fault == Fault.NONE).any():
        return
    if admission.limits_series:
        _limit_series(admission, shelf, series, code, fault)
    _limit_rates(admission, shelf, series, code, lines, fault)


def _limit_series(
    admission: Admission,
    shelf: Shelf,
    series: Rows,
    code: NDArray[np.int32],
    fault: NDArray[np.uint8],
) -> None:
    asked = _of_good_lines(series, code, fault)
    tenant_of = shelf.codes(series[asked], TENANT)
    identities, names = shelf.identities(series[asked]), shelf.words(SeriesKind.POINTS, TENANT)
    is_refused = np.zeros(len(series), bool)
    order = np.argsort(tenant_of, kind="stable")
    borders = np.flatnonzero(np.diff(tenant_of[order])) + 1
    for mine in np.split(order, borders):
        is_in = admission.admit_series(names[tenant_of[mine[0]]], identities[mine])
        is_refused[asked[mine[~is_in]]] = True
    fault[is_refused[code] & (fault == Fault.NONE)] = Fault.ACTIVE_SERIES


def _limit_rates(
    admission: Admission,
    shelf: Shelf,
    series: Rows,
    code: NDArray[np.int32],
    lines: Lines,
    fault: NDArray[np.uint8],
) -> None:
    good = np.flatnonzero(fault == Fault.NONE)
    if not len(good):
        return
    tenants, of_series = np.unique(shelf.codes(series, TENANT), return_inverse=True)
    of_line = of_series[code[good]]
    line_count = np.bincount(of_line, minlength=len(tenants))
    sizes = lines.end[good] - lines.start[good] + 1
    byte_count = np.bincount(of_line, sizes, len(tenants)).astype(np.int64)
    present = np.flatnonzero(line_count)
    words = shelf.words(SeriesKind.POINTS, TENANT)
    names = [words[at] for at in tenants[present].tolist()]
    refused = admission.admit(Usage(names, line_count[present], byte_count[present]))
    if refused:
        marks = np.zeros(len(tenants), np.uint8)
        marks[present] = [
            LIMIT_FAULTS[refused[name].reason] if name in refused else Fault.NONE for name in names
        ]
        fault[good] = marks[of_line]


def _of_good_lines(
    series: Rows, code: NDArray[np.int32], fault: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Positions of the series that good lines have."""
    if not fault.any():
        return np.arange(len(series))
    occurs = np.zeros(len(series), bool)
    occurs[code[fault == Fault.NONE]] = True
    return np.flatnonzero(occurs)


def _seen(shelf: Shelf, rows: Rows) -> Series:
    def words(slot: int) -> Callable[[NDArray[np.int64]], list[str]]:
        known = shelf.words(SeriesKind.POINTS, slot)
        return lambda at: [known[code] for code in shelf.codes(rows[at], slot).tolist()]

    return Series(shelf.identities(rows), words(TENANT), words(ALL_TAGS))
