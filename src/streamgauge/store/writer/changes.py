"""Detection's feed where receiving runs elsewhere: segments' sums in a table of the engine.

Each writer appends one row a segment, after everything else of it; detection asks every tick for
rows that it has not seen. Rows come late where an insert takes long or a replica is behind: each
look goes back a while, and knows by the segment's token what was taken. A writer numbers its rows:
where one is missing for too long, or too much came, detection starts again from history
(docs/adr/0007).
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field

import pyarrow as pa

from streamgauge.model.feed import Delta
from streamgauge.store.engine.engine import Engine
from streamgauge.store.writer.feed import merge

TABLE = "changes"
OVERLAP_MS = 60_000
"""A row may become visible so long after the engine stamped it."""
KEPT_MS = 3_000_000
"""Rows are there for an hour; who did not look for so long cannot know what is gone already."""
GAP_PATIENCE_MS = 30_000
"""How long a row may be missing while later ones of its writer are there."""


class ChangeLog:
    """A writer's side: makes the row that tells of a segment."""

    def __init__(self) -> None:
        self._run, self._number = uuid.uuid4().hex, 0

    def row(self, delta: Delta, token: str) -> pa.Table:
        """The row of `changes`; each call is the next segment."""
        self._number += 1
        return pa.table(
            {
                "token": pa.array([token]),
                "run": pa.array([self._run]),
                "number": pa.array([self._number], pa.uint64()),
                "newest_ns": pa.array([delta.newest_ns], pa.int64()),
                "minutes": pa.array([_packed(delta.minutes)], pa.binary()),
                "queues": pa.array([_packed(delta.queues)], pa.binary()),
                "routers": pa.array([_packed_if_any(delta.routers)], pa.binary()),
                "latencies": pa.array([_packed_if_any(delta.latencies)], pa.binary()),
            }
        )


@dataclass(slots=True)
class _Run:
    """What was seen of one writer's life: everything up to a number, and some beyond it."""

    whole_to: int
    beyond: set[int] = field(default_factory=set)
    missing_since_ms: int = 0
    """When the first row beyond a missing one came; 0: none is missing."""

    def see(self, number: int) -> None:
        self.beyond.add(number)
        while self.whole_to + 1 in self.beyond:
            self.whole_to += 1
            self.beyond.remove(self.whole_to)
        self.beyond = {one for one in self.beyond if one > self.whole_to}


class ChangeFeed:
    """Detection's side: `model.feed.Feed` without history. Thread-safe."""

    def __init__(self, max_rows: int) -> None:
        """Args: max_rows: of segments taken at once; more, and history is quicker."""
        self._max_rows = max_rows
        self._guard = threading.Lock()
        self._taken: dict[str, int] = {}
        self._runs: dict[str, _Run] = {}
        self._since_ms = 0
        self._must_restart = True

    def restart(self, engine: Engine) -> None:
        """Call right before history is read: what is visible now is in it, and is not taken.

        A segment that goes in while history is read may be in it, and is taken too: at most one a
        writer, and rather twice than never.

        Raises:
            StoreError: the engine refused.
        """
        with self._guard:
            self._taken, self._runs = {}, {}
            self._since_ms = _engine_now_ms(engine) - OVERLAP_MS
            for token, run, number, at_ms in self._visible(engine):
                self._taken[token] = at_ms
                self._see(run, number, at_ms)
            for one in self._runs.values():
                one.whole_to = max(one.beyond, default=one.whole_to)
                one.beyond, one.missing_since_ms = set(), 0
            self._must_restart = False

    def take(self, engine: Engine) -> Delta | None:
        """What was appended since the last call, oldest first; None: ask history.

        Raises:
            StoreError: the engine refused; nothing was taken.
        """
        with self._guard:
            if self._must_restart:
                return None
            now_ms = _engine_now_ms(engine)
            fresh = [one for one in self._visible(engine) if one[0] not in self._taken]
            if len(fresh) > self._max_rows or now_ms - self._since_ms > KEPT_MS:
                self._must_restart = True
                return None
            delta = _read(engine, [one[0] for one in fresh], self._since_ms)
            for token, run, number, at_ms in fresh:
                self._taken[token] = at_ms
                self._see(run, number, at_ms)
            self._must_restart = self._has_gap(now_ms)
            self._move_on(now_ms)
        return None if self._must_restart else delta

    def _visible(self, engine: Engine) -> list[tuple[str, str, int, int]]:
        answer = engine.query(
            "SELECT token, run, number, inserted_ms FROM changes "
            "WHERE inserted_ms >= {since:Int64} "
            "ORDER BY inserted_ms, run, number LIMIT 1 BY token",
            {"since": self._since_ms},
        )
        names = ("token", "run", "number", "inserted_ms")
        return list(zip(*(answer.column(name).to_pylist() for name in names), strict=True))

    def _see(self, run: str, number: int, at_ms: int) -> None:
        known = self._runs.setdefault(run, _Run(number - 1))
        known.see(number)
        if not known.beyond:
            known.missing_since_ms = 0
        elif not known.missing_since_ms:
            known.missing_since_ms = at_ms

    def _has_gap(self, now_ms: int) -> bool:
        return any(
            run.missing_since_ms and now_ms - run.missing_since_ms > GAP_PATIENCE_MS
            for run in self._runs.values()
        )

    def _move_on(self, now_ms: int) -> None:
        self._since_ms = max(self._since_ms, now_ms - OVERLAP_MS)
        self._taken = {token: at for token, at in self._taken.items() if at >= self._since_ms}


def _engine_now_ms(engine: Engine) -> int:
    """Rows are stamped by the engine's clock, so it is the one that is asked."""
    answer = engine.query("SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms")
    return int(answer.column("now_ms")[0].as_py())


def _read(engine: Engine, tokens: list[str], since_ms: int) -> Delta:
    """The sum of these segments."""
    if not tokens:
        return merge([])
    answer = engine.query(
        "SELECT newest_ns, minutes, queues, routers, latencies FROM changes "
        "WHERE inserted_ms >= {since:Int64} AND token IN {tokens:Array(String)} "
        "ORDER BY inserted_ms, run, number LIMIT 1 BY token",
        {"since": since_ms, "tokens": tokens},
    )
    minutes, queues, routers, latencies = (
        _unpacked(answer.column(name)) for name in ("minutes", "queues", "routers", "latencies")
    )
    newest = answer.column("newest_ns").to_pylist()
    parts = zip(minutes, queues, newest, routers, latencies, strict=True)
    return merge([Delta(*of_one) for of_one in parts])


def _packed_if_any(table: pa.Table | None) -> bytes:
    """Nothing where there is none, as in rows of former versions."""
    return _packed(table) if table is not None and table.num_rows else b""


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _unpacked(column: pa.ChunkedArray) -> list[pa.Table | None]:
    """The engine calls every string text: its bytes are taken as they are."""
    streams = column.cast(pa.binary()).to_pylist()
    return [pa.ipc.open_stream(stream).read_all() if stream else None for stream in streams]
