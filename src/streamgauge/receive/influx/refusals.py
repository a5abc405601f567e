"""The refused lines of a body, counted, and the first hundred told with a reason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx.book import TENANT, Rows, Shelf
from streamgauge.receive.influx.faults import Fault, syntax_reason
from streamgauge.receive.influx.lines import Lines
from streamgauge.receive.influx.measurements import COUNT_REASON
from streamgauge.receive.influx.series import SeriesKind
from streamgauge.receive.influx.stamps import stamp_reason
from streamgauge.receive.quotas import Admission

MAX_TOLD = 100
MAX_LINE_CHARACTERS = 256
_LIMITS = (Fault.LINES_PER_S, Fault.BYTES_PER_S, Fault.ACTIVE_SERIES)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was refused and why."""

    body: bytes
    lines: Lines
    fault: NDArray[np.uint8]
    time_ns: NDArray[np.int64]
    max_ahead_s: float
    code: NDArray[np.int32]
    series_reasons: dict[int, str]
    admission: Admission | None = None

    @property
    def count(self) -> int:
        """Refused lines."""
        return int(np.count_nonzero(self.fault))

    def told(self, shelf: Shelf, series: Rows) -> list[RejectedLine]:
        """The first of them, in order."""
        first = np.flatnonzero(self.fault)[:MAX_TOLD]
        if not len(first):
            return []
        rows = series[self.code[first]]
        tenants = shelf.words(SeriesKind.POINTS, TENANT)
        codes = shelf.codes(rows, TENANT).tolist()
        return [
            self._tell(at, tenants[code]) for at, code in zip(first.tolist(), codes, strict=True)
        ]

    def counted(self, shelf: Shelf, series: Rows) -> dict[tuple[str, str], int]:
        """All of them, by class of reason and tenant."""
        at = np.flatnonzero(self.fault)
        if not len(at):
            return {}
        tenants = shelf.words(SeriesKind.POINTS, TENANT)
        codes = shelf.codes(series[self.code[at]], TENANT).astype(np.int64)
        pairs, counts = np.unique(codes * len(Fault) + self.fault[at], return_counts=True)
        return {
            (Fault(pair % len(Fault)).name.lower(), tenants[pair // len(Fault)]): count
            for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
        }

    def _tell(self, at: int, tenant: str) -> RejectedLine:
        start, end = int(self.lines.start[at]), int(self.lines.end[at])
        shown = self.body[start : min(end, start + 4 * MAX_LINE_CHARACTERS)]
        line = shown.decode(errors="replace")[:MAX_LINE_CHARACTERS]
        fault = Fault(int(self.fault[at]))
        if self.admission is not None and fault in _LIMITS:
            reason = self.admission.text(RefusalReason(fault.name.lower()), tenant)
        else:
            reason = self._reason(fault, at, start, end)
        number = int(self.lines.number[at])
        return RejectedLine(number, line, reason, tenant, fault.name.lower())

    def _reason(self, fault: Fault, at: int, start: int, end: int) -> str:
        match fault:
            case Fault.ENCODING:
                return "invalid UTF-8; text must be sent as UTF-8"
            case Fault.STAMP:
                is_given = bool(self.lines.stamp_start[at] < self.lines.stamp_end[at])
                return stamp_reason(int(self.time_ns[at]), self.max_ahead_s, is_given=is_given)
            case Fault.COUNT:
                return COUNT_REASON
            case Fault.SERIES:
                return self.series_reasons[int(self.code[at])]
            case _:
                read = self.body[start:end]
                size = int(self.lines.key_end[at]) - start
                return syntax_reason(read.decode(errors="replace"), size)
