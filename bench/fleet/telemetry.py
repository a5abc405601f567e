"""Hands a run over as the store would: history of rollups, then what arrives minute by minute."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from bench.fleet.customers import Customer
from bench.fleet.messages import Series
from bench.fleet.plan import START_MINUTE, Plan
from bench.fleet.queues import Queues
from streamgauge.model.feed import Delta, History
from streamgauge.model.flow import Flow

Ints = NDArray[np.int64]
_MINUTE_NS = 60_000_000_000
_BLOCK = 60
"""Minutes that are made into one table, of which each tick gets a slice."""
_RECENT_HOURS = 48


class Telemetry:
    """Everything that arrives, in the order in which it arrives."""

    def __init__(self, plan: Plan, queues: Queues) -> None:
        self._plan, self._queues = plan, queues
        self._tags: list[tuple[str, ...]] = []
        """Of each series: the flow's five tags, outcome, reason, router."""
        self._parts: list[tuple[NDArray[np.generic], ...]] = []
        self._block = (-1, pa.table({}), pa.table({}))
        self.row_count = 0

    @property
    def flow_count(self) -> int:
        """Distinct flows."""
        return len({tags[:5] for tags in self._tags})

    def add(self, customer: Customer, series: list[Series]) -> None:
        """Take what one customer sent."""
        rng = self._plan.random(7, customer.number)
        delay = np.zeros(self._plan.minutes, np.int32)
        if customer.noise.late_share:
            # Never two in a row: nobody can tell that from a silence of two minutes.
            late = rng.random(self._plan.minutes) < 2.0 * customer.noise.late_share
            late[1::2] = False
            delay[late] = rng.integers(1, 31, int(late.sum()))
        for one in series:
            code = np.full(len(one.minutes), len(self._tags), np.int32)
            self._tags.append((*one.flow, one.outcome, one.reason, f"r{customer.router}"))
            last = rng.random(len(one.minutes)) ** (1.0 / one.counts)
            first = np.where(
                one.counts > 1,
                last * (1.0 - rng.random(len(last)) ** (1.0 / np.maximum(one.counts - 1, 1))),
                last,
            )
            stamps = ((part * 59_999).astype(np.uint16) for part in (first, last))
            minutes = one.minutes.astype(np.int32)
            arrives = minutes + delay[one.minutes]
            self._parts.append((minutes, arrives, code, one.counts.astype(np.uint32), *stamps))

    def close(self) -> None:
        """All of it was added: put it in order."""
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        self._parts = []
        order = np.argsort(columns[1], kind="stable")
        minute, arrives, code, counts, first, last = (column[order] for column in columns)
        self._minute, self._code, self._counts = minute, code, counts
        self._first, self._last = first, last
        self._offsets = np.searchsorted(arrives, np.arange(self._plan.minutes + 1))
        self.row_count = int(self._offsets[-1])
        self._dictionaries = [
            _Coded([tags[place] for tags in self._tags]) for place in range(len(self._tags[0]))
        ]

    def take(self, minute: int) -> Delta:
        """What arrived in a minute of the run."""
        block = minute // _BLOCK
        if self._block[0] != block:
            first = min(block * _BLOCK, self._plan.minutes)
            last = min(first + _BLOCK, self._plan.minutes)
            self._block = (block, *self._tables(self._offsets[first], self._offsets[last]))
        start = int(self._offsets[minute] - self._offsets[block * _BLOCK])
        count = int(self._offsets[minute + 1] - self._offsets[minute])
        minutes, routers = (table.slice(start, count) for table in self._block[1:])
        alive_ns = self._queues.alive_ns(minute)
        return _delta(minutes, self._queues.table(minute, minute + 1), routers, alive_ns)

    def history(self, until: int) -> History:
        """What the rollups hold of all that arrived before a minute of the run."""
        recent_from = max((until // 60 - _RECENT_HOURS) * 60, 0)
        end = self._offsets[until]
        is_recent = self._minute[:end] >= recent_from
        old, recent = np.flatnonzero(~is_recent), np.flatnonzero(is_recent)
        minutes, _ = self._tables(recent)
        seen = np.unique(self._minute[:end]).astype(np.int64) + START_MINUTE
        return History(
            self._hours(old),
            _delta(minutes, self._queues.table(recent_from, until), None, 0),
            START_MINUTE + recent_from,
            pa.array(seen),
        )

    def _tables(self, first: int | Ints, last: int = 0) -> tuple[pa.Table, pa.Table]:
        part = first if isinstance(first, np.ndarray) else slice(first, last)
        code = self._code[part]
        minute = self._minute[part].astype(np.int64) + START_MINUTE
        counts = pa.array(self._counts[part].astype(np.uint64))
        last_ns = pa.array(minute * _MINUTE_NS + self._last[part].astype(np.int64) * 1_000_000)
        first_ns = pa.array(minute * _MINUTE_NS + self._first[part].astype(np.int64) * 1_000_000)
        *flow, outcome, reason, router = (one.rows(code) for one in self._dictionaries)
        tags = dict(zip(Flow._fields, flow, strict=True))
        minutes = {"minute": pa.array(minute), **tags, "outcome": outcome, "reason": reason}
        stamps = {"count": counts, "first_ns": first_ns, "last_ns": last_ns}
        routers = {"minute": pa.array(minute), "router": router, **tags}
        return (
            pa.table(minutes | stamps),
            pa.table(routers | {"count": counts, "last_ns": last_ns}),
        )

    def _hours(self, rows: Ints) -> pa.Table:
        kinds = {tags[:6]: None for tags in self._tags}
        number = {tags: place for place, tags in enumerate(kinds)}
        kind = np.array([number[tags[:6]] for tags in self._tags], np.int32)
        minute = self._minute[rows].astype(np.int64) + START_MINUTE
        frame = pl.DataFrame(
            {
                "minute": minute,
                "kind": kind[self._code[rows]],
                "count": self._counts[rows].astype(np.uint64),
                "last_ns": minute * _MINUTE_NS + self._last[rows].astype(np.int64) * 1_000_000,
            }
        )
        summed = (
            frame.with_columns(hour=pl.col("minute") // 60)
            .group_by("hour", "kind")
            .agg(
                pl.col("count").sum(),
                pl.col("minute").n_unique().cast(pl.UInt8).alias("active_minutes"),
                pl.col("last_ns").max(),
            )
            .sort("hour", "kind")
        )
        codes = summed["kind"].to_numpy()
        tags = {
            name: _Coded([one[place] for one in kinds]).rows(codes)
            for place, name in enumerate((*Flow._fields, "outcome"))
        }
        others = {name: summed[name].to_arrow() for name in ("count", "active_minutes", "last_ns")}
        return pa.table({"hour": summed["hour"].to_arrow(), **tags, **others})


class _Coded:
    """A tag of every series."""

    def __init__(self, texts: list[str]) -> None:
        names = list(dict.fromkeys(texts))
        number = {name: place for place, name in enumerate(names)}
        self._dictionary = pa.array(names, pa.string())
        self._of_series = np.array([number[text] for text in texts], np.int32)

    def rows(self, code: NDArray[np.generic]) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(pa.array(self._of_series[code]), self._dictionary)


def _delta(minutes: pa.Table, queues: pa.Table, routers: pa.Table | None, alive_ns: int) -> Delta:
    newest = int(minutes["last_ns"].to_numpy().max()) if minutes.num_rows else 0
    return Delta(minutes, queues, max(newest, alive_ns), routers)
