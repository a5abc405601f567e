"""Numbers flows in the order they are first seen, all rows of a table at once.

Each tag's texts are numbered, then pairs of numbers: (tenant, source), that with the integration,
and so on to the flow. Numbers are looked up in sorted arrays; only
distinct texts are compared.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Ints
from streamgauge.detect.tags import PerDictionary
from streamgauge.model.flow import Flow


class FlowNumbers:
    """The number of every flow ever seen."""

    def __init__(self) -> None:
        self._tags = [_Texts() for _ in Flow._fields]
        self._pairs = [_Pairs() for _ in Flow._fields[1:]]

    def locate(self, table: pa.Table) -> tuple[Ints, list[Flow]]:
        """The flow number [rows] of a table with the five tags, and the flows new with it."""
        parts = [
            tag.column.rows(table[name]) for tag, name in zip(self._tags, Flow._fields, strict=True)
        ]
        known = self._pairs[-1].count
        number = parts[0]
        for pairs, part in zip(self._pairs, parts[1:], strict=True):
            number = pairs.number(number, part)
        count = self._pairs[-1].count
        return number.astype(np.int32), self._new(number, parts, np.arange(known, count))

    def _new(self, number: Ints, parts: list[Array], fresh: Ints) -> list[Flow]:
        if not len(fresh):
            return []
        distinct, first = np.unique(number, return_index=True)
        rows = first[np.searchsorted(distinct, fresh)]
        texts = [list(tag.known) for tag in self._tags]
        numbers = np.stack([part[rows] for part in parts], axis=1)
        return [
            Flow(*(names[at] for names, at in zip(texts, row, strict=True)))
            for row in numbers.tolist()
        ]


class _Texts:
    """Numbers the texts of one tag from 0 on."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.column = PerDictionary(self._number)

    def _number(self, texts: list[str]) -> Array:
        known = self.known
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)


class _Pairs:
    """Numbers pairs of numbers below 2^31 from 0 on, in the order they are first seen."""

    def __init__(self) -> None:
        self._keys: Ints = np.zeros(0, np.int64)
        """Ascending."""
        self._numbers: Ints = np.zeros(0, np.int64)

    @property
    def count(self) -> int:
        return len(self._keys)

    def number(self, left: Ints, right: Ints) -> Ints:
        """The number [rows] of each pair; those never seen get the next ones."""
        keys = (left << 31) | right
        place, is_known = self._find(keys)
        if not is_known.all():
            self._add(keys[~is_known])
            place, _ = self._find(keys)
        return self._numbers[place]

    def _find(self, keys: Ints) -> tuple[Ints, Array]:
        if not len(self._keys):
            return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return place, self._keys[place] == keys

    def _add(self, keys: Ints) -> None:
        fresh, first = np.unique(keys, return_index=True)
        number = np.empty(len(fresh), np.int64)
        number[np.argsort(first)] = self.count + np.arange(len(fresh))
        every = np.concatenate([self._keys, fresh])
        order = np.argsort(every, kind="stable")
        self._keys = every[order]
        self._numbers = np.concatenate([self._numbers, number])[order]
