"""Notices flows that were never inserted before, so that what depends on which flows there are is
asked of the engine once and not with every question.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.store.columns import FLOW_KEY

MAX_REMEMBERED = 1_000_000
"""Flows; beyond it all are forgotten, and each is new again."""
Hashes = NDArray[np.uint64]


class NewFlows:
    """`version` grows with every insert that brings a flow not seen before. Thread-safe to read."""

    def __init__(self) -> None:
        self.version = 0
        self._known: Hashes = np.zeros(0, np.uint64)

    def note(self, last_seen: pa.Table) -> None:
        """Look at rows of `last_seen` that are in the engine now."""
        columns = {name: last_seen.column(name).cast(pa.string()) for name in FLOW_KEY}
        hashes = np.unique(pl.DataFrame(columns).hash_rows().to_numpy())
        new = hashes[~np.isin(hashes, self._known, assume_unique=True)]
        if len(new):
            kept = self._known if len(self._known) < MAX_REMEMBERED else self._known[:0]
            self._known = np.union1d(kept, new)
            self.version += 1

    def forget(self) -> None:
        """Every flow is new again: the tables were emptied."""
        self._known = self._known[:0]
        self.version += 1


class Remembered:
    """An answer of the engine that holds until there is a new flow. Thread-safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._version = -1
        self._answer = True

    def get(self, version: int, ask: Callable[[], bool]) -> bool:
        """The answer at this version; `ask` is called where it is not known yet."""
        with self._guard:
            if version == self._version:
                return self._answer
        answer = ask()  # a flow that comes meanwhile makes a new version
        with self._guard:
            self._version, self._answer = version, answer
        return answer
