"""Why messages failed lately: by flow and minute for two hours, by group and hour for three days.

A *group* here is one customer's delivery to one integration; failures elsewhere have none. Of
distinct texts some thousands are told apart, what comes beyond them is one: a reason with an id in
it must not use up memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.tags import PerDictionary

MOST_TEXTS = 4096
_KEPT_HOURS = 72
_PARTS_BEFORE_SUM = 64
_TOP = 3


@dataclass(frozen=True, slots=True)
class Failed:
    """Failures by time, of whom, and why; all [n]."""

    at: Ints
    """Minute or hour since the epoch."""
    of: Ints
    """Number of the flow, or of the group."""
    code: Ints
    """Number of the reason; 0: none was told, or it is one too many."""
    count: Floats

    def part(self, which: np.ndarray) -> Failed:
        """Some of them, by place or by mask."""
        return Failed(self.at[which], self.of[which], self.code[which], self.count[which])


class Reasons:
    """Failures with their reasons."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._number: dict[str, int] = {"": 0}
        self._texts: list[str] = [""] * MOST_TEXTS
        self._free: list[int] = list(range(MOST_TEXTS - 1, 0, -1))
        self._forgotten: list[int] = []
        self._codes = PerDictionary(self._numbers)
        self._parts: list[Failed] = [_NONE]
        self._hours: Failed = _NONE

    def add(self, minute: Ints, flow: Ints, reason: pa.ChunkedArray, counts: Floats) -> None:
        """Add failures; all arrays have one place a row."""
        self._parts.append(Failed(minute, flow, self._codes.rows(reason), counts))
        if len(self._parts) > _PARTS_BEFORE_SUM:
            self._minutes()

    def text(self, code: int) -> str:
        """The reason of that number."""
        return self._texts[code]

    def top(self, flows: Ints, since_minute: int) -> list[tuple[str, int]]:
        """The commonest reasons of these flows since a minute, most first, with their counts."""
        known = self._minutes()
        is_wanted = (known.at >= since_minute) & (known.code > 0) & np.isin(known.of, flows)
        sums = np.bincount(known.code[is_wanted], known.count[is_wanted], len(self._texts))
        found = [(self._texts[code], int(sums[code])) for code in np.flatnonzero(sums).tolist()]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:_TOP]

    def settle(self, hour: int) -> Failed:
        """Keep what came before an hour by the hour only; returns it, each once."""
        known = self._minutes()
        is_old = known.at < 60 * hour
        if len(self._free) < MOST_TEXTS // 4:
            self._forget_unused(known.code[~is_old])
        if not is_old.any():
            return _NONE
        self._parts = [known.part(~is_old)]
        settled = self._by_group(known.part(is_old))
        kept = self._hours.part(self._hours.at > hour - _KEPT_HOURS)
        self._hours = _summed([kept, settled])
        return settled

    def take_forgotten(self) -> Ints:
        """Numbers that mean nothing any more, or something else from now on."""
        found, self._forgotten = self._forgotten, []
        return np.array(found, np.int64)

    def since(self, groups: Ints, minutes: Ints) -> tuple[Ints, Failed]:
        """Failures of some groups, each since a minute of its own.

        Args:
            groups: [n], ascending, each once.
            minutes: [n] since the epoch; whole hours are taken where only they are known.

        Returns: whose they are, by place in `groups`, and the failures, by hour.
        """
        recent = self._by_group(self._minutes())
        all_ = _summed([self._hours, recent])
        place = np.minimum(np.searchsorted(groups, all_.of), max(len(groups) - 1, 0))
        is_in = groups[place] == all_.of
        is_in &= all_.at >= minutes[place] // 60
        return place[is_in], all_.part(is_in)

    def _minutes(self) -> Failed:
        if len(self._parts) > 1:
            self._parts = [_summed(self._parts)]
        return self._parts[0]

    def _by_group(self, known: Failed) -> Failed:
        groups = self._levels.row_group[self._levels.flow_rows[known.of]]
        is_delivery = self._levels.group_level[groups] == Level.TENANT_INTEGRATION
        is_delivery &= self._levels.flow_rows[known.of] > 0
        at = np.flatnonzero(is_delivery.any(axis=1))
        own = groups[at, is_delivery[at].argmax(axis=1)]
        return _summed([Failed(known.at[at] // 60, own, known.code[at], known.count[at])])

    def _forget_unused(self, used: Ints) -> None:
        """Reasons may hold ids: those that did not come lately make room."""
        unused = np.setdiff1d(np.array(list(self._number.values())), np.append(used, 0))
        for code in unused.tolist():
            del self._number[self._texts[code]]
        self._free += unused.tolist()
        self._forgotten += unused.tolist()
        for failed in (*self._parts, self._hours):
            failed.code[np.isin(failed.code, unused)] = 0
        self._codes = PerDictionary(self._numbers)

    def _numbers(self, texts: list[str]) -> Ints:
        for text in texts:
            if text not in self._number and self._free:
                self._number[text] = self._free.pop()
                self._texts[self._number[text]] = text
        return np.array([self._number.get(text, 0) for text in texts], np.int64)


_NONE = Failed(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _summed(parts: list[Failed]) -> Failed:
    """One row for each time, of whom and why, in this order."""
    at, of, code, count = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("at", "of", "code", "count")
    )
    if not len(at):
        return _NONE
    order = np.lexsort((code, of, at))
    at, of, code, count = at[order], of[order], code[order], count[order]
    is_new = np.ones(len(at), bool)
    is_new[1:] = (np.diff(at) != 0) | (np.diff(of) != 0) | (np.diff(code) != 0)
    first = np.flatnonzero(is_new)
    return Failed(
        at[first].astype(np.int64),
        of[first].astype(np.int64),
        code[first].astype(np.int64),
        np.add.reduceat(count, first).astype(np.float64),
    )
