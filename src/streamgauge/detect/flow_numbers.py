"""Numbers flows in the order they are first seen, all rows of a table at once.

Each tag's texts are numbered, then pairs of numbers: (tenant, source), (integration, pipeline),
that with the stage, and both halves are the flow. Only distinct texts are Python objects; a flow's
tags are read back from its pairs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Ints
from streamgauge.detect.pair_numbers import PairNumbers
from streamgauge.detect.tags import PerDictionary
from streamgauge.model.flow import Flow


class Codes(NamedTuple):
    """The numbers of the tags of flows, int64 [n] each."""

    tenant: Ints
    source: Ints
    integration: Ints
    pipeline: Ints
    stage: Ints


class FlowNumbers:
    """The number of every flow ever seen."""

    def __init__(self) -> None:
        self.tags = [Texts() for _ in Flow._fields]
        self.sources = PairNumbers()
        """(tenant, source)"""
        self._routes = PairNumbers()
        """(integration, pipeline)"""
        self._ends = PairNumbers()
        """(route, stage)"""
        self._flows = PairNumbers()
        """(source, end)"""

    @property
    def count(self) -> int:
        """How many flows there are."""
        return self._flows.count

    def locate(self, table: pa.Table) -> Ints:
        """The flow number, int32 [rows], of a table with the five tags."""
        tenant, source, integration, pipeline, stage = (
            tag.column.rows(table[name]) for tag, name in zip(self.tags, Flow._fields, strict=True)
        )
        end = self._ends.number(self._routes.number(integration, pipeline), stage)
        return self._flows.number(self.sources.number(tenant, source), end)

    def known(self, table: pa.Table) -> Ints:
        """The flow number, int [rows], of a table with the five tags; -1: never seen."""
        tenant, source, integration, pipeline, stage = (
            tag.column.rows(table[name]) for tag, name in zip(self.tags, Flow._fields, strict=True)
        )
        route = self._routes.find(integration, pipeline)
        end = np.where(route < 0, -1, self._ends.find(np.maximum(route, 0), stage))
        pair = self.sources.find(tenant, source)
        found = self._flows.find(np.maximum(pair, 0), np.maximum(end, 0))
        return np.where((pair < 0) | (end < 0), -1, found)

    def codes(self, flows: Ints) -> Codes:
        """The numbers of their tags."""
        source_number, end = self._flows.pairs(flows)
        tenant, source = self.sources.pairs(source_number)
        route, stage = self._ends.pairs(end)
        integration, pipeline = self._routes.pairs(route)
        return Codes(tenant, source, integration, pipeline, stage)

    def source_numbers(self, flows: Ints) -> Ints:
        """The number [n] of each flow's (tenant, source)."""
        return self._flows.pairs(flows)[0]

    def flow(self, number: int) -> Flow:
        """One flow in words."""
        codes = self.codes(np.array([number]))
        return Flow(*(tag.text(int(at[0])) for tag, at in zip(self.tags, codes, strict=True)))

    def find(self, flow: Flow) -> int | None:
        """The number of a flow."""
        codes = [tag.find(text) for tag, text in zip(self.tags, flow, strict=True)]
        if any(code is None for code in codes):
            return None
        tenant, source, integration, pipeline, stage = (np.array([code]) for code in codes)
        route = self._routes.find(integration, pipeline)
        end = self._ends.find(route, stage) if route[0] >= 0 else route
        pair = self.sources.find(tenant, source)
        if end[0] < 0 or pair[0] < 0:
            return None
        found = int(self._flows.find(pair, end)[0])
        return found if found >= 0 else None

    @property
    def nbytes(self) -> int:
        """What the numbers take in memory, without the texts."""
        pairs = (self.sources, self._routes, self._ends, self._flows)
        return sum(one.nbytes for one in pairs)


class Texts:
    """Numbers the texts of one tag from 0 on."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self._texts: list[str] = []
        self.column = PerDictionary(self._number)

    def __len__(self) -> int:
        """How many texts."""
        return len(self._texts)

    def find(self, text: str | None) -> int | None:
        """The number of a text."""
        return None if text is None else self.known.get(text)

    def text(self, number: int) -> str:
        """The text of a number."""
        return self._texts[number]

    def _number(self, texts: list[str]) -> Array:
        known = self.known
        found = list(map(known.get, texts))
        if None in found:
            found = [known.setdefault(text, len(known)) for text in texts]
            self._texts = list(known)
        return np.array(found, np.int64)
