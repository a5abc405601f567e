"""Why messages failed lately: counts per flow and reason, of the last hour."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Floats, Ints
from streamgauge.detect.tags import PerDictionary

_KEPT_MINUTES = 90
_PARTS_BEFORE_SUM = 64
_TOP = 3
_TEXTS_KEPT = 4096
"""Of more, those that are not used any more are forgotten: a reason may hold an id."""


class Reasons:
    """Failures by flow, minute and reason."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints, Ints, Floats]] = []
        """Minutes, flows, numbers of reasons, and counts."""
        self._begin([])

    def add(self, minute: Ints, flow: Ints, reason: pa.ChunkedArray, counts: Floats) -> None:
        """Add failures; all arrays have one place a row."""
        self._parts.append((minute, flow, self._column.rows(reason), counts))
        if len(self._parts) > _PARTS_BEFORE_SUM:
            self._sum()

    def top(self, flows: Ints, since_minute: int) -> list[tuple[str, int]]:
        """The commonest reasons of these flows since a minute, most first, with their counts."""
        is_wanted = np.zeros(int(np.max(flows, initial=0)) + 1, bool)
        is_wanted[flows] = True
        total = np.zeros(len(self._known))
        for minute, flow, reason, count in self._parts:
            at = np.flatnonzero((minute >= since_minute) & (flow < len(is_wanted)))
            at = at[is_wanted[flow[at]]]
            total += np.bincount(reason[at], count[at], len(total))
        found = [
            (text, int(count))
            for text, count in zip(self._known, total.tolist(), strict=True)
            if text and count > 0.0
        ]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:_TOP]

    def _begin(self, texts: list[str]) -> None:
        """The texts that are known, in the order of their numbers."""
        self._known = {text: number for number, text in enumerate(texts)}
        self._column = PerDictionary(self._number)

    def _number(self, texts: list[str]) -> Array:
        known = self._known
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int32)

    def _sum(self) -> None:
        """One part of all, without what is too old."""
        minute, flow, reason, count = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        oldest, flows, reasons = minute.max() - _KEPT_MINUTES + 1, flow.max() + 1, len(self._known)
        kept = minute >= oldest
        keys = ((minute - oldest) * reasons + reason) * np.int64(flows) + flow
        keys, place = np.unique(keys[kept], return_inverse=True)
        keys, flow = np.divmod(keys, flows)
        minute, reason = np.divmod(keys, reasons)
        if len(self._known) > _TEXTS_KEPT:
            used, reason = np.unique(reason, return_inverse=True)
            texts = list(self._known)
            self._begin([texts[number] for number in used.tolist()])
        sums = np.bincount(place, count[kept]).astype(np.float64)
        self._parts = [(minute + oldest, flow, reason, sums)]
