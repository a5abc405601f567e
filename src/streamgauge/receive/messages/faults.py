"""Which rows of a body are refused, and why: the first hundred told, all counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.messages.lines import Lines, unreadable_reason
from streamgauge.receive.messages.redaction import Redaction

MAX_TOLD = 100
MAX_LINE_CHARACTERS = 256
_SEEN_BYTES = 4096
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, in some rows."""

    is_in: NDArray[np.bool_]
    """[n_rows]"""
    reason: RefusalReason
    text: Callable[[int], str]
    """What to say of a row."""


@dataclass(slots=True)
class Faults:
    """What is wrong with the rows of a frame."""

    row_count: int
    found: list[Fault] = field(default_factory=list)

    def add(
        self, is_in: NDArray[np.bool_], reason: RefusalReason, text: str | Callable[[int], str]
    ) -> None:
        """These rows are wrong, unless none is."""
        if is_in.any():
            said = text if callable(text) else lambda _: text
            self.found.append(Fault(is_in, reason, said))

    @property
    def is_refused(self) -> NDArray[np.bool_]:
        """[n_rows]"""
        refused = np.zeros(self.row_count, bool)
        for fault in self.found:
            refused |= fault.is_in
        return refused

    def of(self, row: int) -> tuple[RefusalReason, str]:
        """The first fault of a refused row."""
        fault = next(fault for fault in self.found if fault.is_in[row])
        return fault.reason, fault.text(row)

    def classes(self) -> NDArray[np.int64]:
        """[n_rows] index into `found` of the first fault; -1 where there is none."""
        first = np.full(self.row_count, -1)
        for number, fault in reversed(list(enumerate(self.found))):
            first[fault.is_in] = number
        return first


@dataclass(frozen=True, slots=True)
class Refused:
    """The refused lines of a body."""

    told: list[RejectedLine]
    counted: dict[tuple[str, str], int]


def tell(
    lines: Lines,
    unreadable: tuple[int, ...],
    faults: Faults,
    line_of_row: NDArray[np.int64],
    tenants: list[str],
    redaction: Redaction,
) -> Refused:
    """Count the refused lines, and say of the first of them what is wrong.

    Args:
        lines: all of the body.
        unreadable: those that are no JSON objects, ascending.
        faults: of the rows of the frame.
        line_of_row: [n_rows] ascending index into the lines.
        tenants: of the refused rows, in order.
        redaction: for what is shown of them.
    """
    rows = np.flatnonzero(faults.is_refused)
    classes = faults.classes()[rows].tolist()
    by_class = Counter(zip(classes, tenants, strict=True))
    counts: Counter[tuple[str, str]] = Counter()
    for (number, tenant), count in by_class.items():
        counts[faults.found[number].reason.value, tenant] += count
    wrong = [(at, *unreadable_reason(lines[at]), "") for at in unreadable]
    counts.update((reason.value, tenant) for _, reason, _, tenant in wrong)
    wrong += [
        (int(line_of_row[row]), *faults.of(row), tenant)
        for row, tenant in zip(rows[:MAX_TOLD].tolist(), tenants, strict=False)
    ]
    wrong.sort(key=lambda one: one[0])
    told = [
        RejectedLine(
            int(lines.number[at]),
            shown_line(lines[at], redaction),
            redaction.text(text),
            tenant,
            reason.value,
        )
        for at, reason, text, tenant in wrong[:MAX_TOLD]
    ]
    return Refused(told, dict(counts))


def shown_line(line: bytes, redaction: Redaction) -> str:
    """A line as it may be kept: cut, and without what the rules take out."""
    text = line[:_SEEN_BYTES].decode(errors="replace")
    text = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    return redaction.text(text.encode(errors="replace").decode())[:MAX_LINE_CHARACTERS]
