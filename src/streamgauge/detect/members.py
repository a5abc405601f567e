"""Which numbers belong to a number: groups below a group, flows of a customer; found when asked."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from streamgauge.detect.arrays import Ints

_TAIL = 4096
"""So many groups are looked through one by one before all are sorted anew."""
_KEPT = 64


class Members:
    """Children by parent, ascending; each is given once."""

    def __init__(self) -> None:
        self._parents: list[Ints] = []
        self._parts: list[Ints] = []
        self._order: Ints = np.zeros(0, np.int32)
        self._sorted: Ints = np.zeros(0, np.int32)
        self._tail = 0
        self._answers: dict[int, Sequence[int]] = {}

    def add(self, parents: Ints, children: Ints) -> None:
        """`children` [n] stand below `parents` [n]."""
        if not len(parents):
            return
        self._parents.append(parents.astype(np.int32))
        self._parts.append(children.astype(np.int32))
        self._tail += len(parents)
        self._answers = {}

    def get(self, group: int, default: Collection[int] = ()) -> Collection[int]:
        """What belongs to it, ascending; `default` if there is nothing."""
        answer = self._answers.get(group)
        if answer is None:
            if len(self._answers) >= _KEPT:
                self._answers = {}
            answer = self._answers[group] = self._find(group)
        return answer or default

    def of_any(self, parents: Ints) -> Ints:
        """What belongs to these parents, each given once."""
        if self._tail > max(_TAIL, len(self._sorted) // 4):
            self._sort()
        first = np.searchsorted(self._sorted, parents, side="left")
        counts = np.searchsorted(self._sorted, parents, side="right") - first
        start = np.repeat(first - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        found = [self._order[start + np.arange(len(start))]]
        for above, part in zip(self._parents, self._parts, strict=True):
            found.append(part[np.isin(above, parents)])
        return np.concatenate(found)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        waiting = sum(part.nbytes for part in (*self._parents, *self._parts))
        return int(self._order.nbytes + self._sorted.nbytes + waiting)

    def _find(self, group: int) -> Sequence[int]:
        if self._tail > max(_TAIL, len(self._sorted) // 4):
            self._sort()
        first, last = np.searchsorted(self._sorted, [group, group + 1])
        found = [self._order[first:last]]
        if len(self._parents) > 1:
            self._parents = [np.concatenate(self._parents)]
            self._parts = [np.concatenate(self._parts)]
        waiting = zip(self._parents, self._parts, strict=True)
        found += [part[above == group] for above, part in waiting]
        numbers: list[int] = np.sort(np.concatenate(found)).tolist()
        return numbers

    def _sort(self) -> None:
        parents = np.concatenate([self._sorted, *self._parents])
        children = np.concatenate([self._order, *self._parts])
        order = np.argsort(parents, kind="stable")
        self._sorted, self._order = parents[order], children[order]
        self._parents, self._parts, self._tail = [], [], 0
