"""One body of line protocol while rules give its points a meaning."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from types import TracebackType

import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.errors import StoreError
from streamgauge.receive.meaning.draft import Draft, draft_of
from streamgauge.receive.meaning.lines import LineSeries, without_rows
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.reading import read_series
from streamgauge.receive.meaning.rising import Rising
from streamgauge.receive.meaning.rules import MapRule
from streamgauge.receive.meaning.shelf import Shelf
from streamgauge.receive.meaning.standing import Standing
from streamgauge.receive.meaning.tables import messages_table

_ANY_TIME_NS = 2**62
"""No stamp is ahead of it."""


class LineTurn:
    """Holds the lock from the moment counters are looked at until the body is kept, or is not."""

    def __init__(self, standing: Standing, lock: threading.Lock, lines: LineSeries) -> None:
        self._standing, self._lock, self._lines = standing, lock, lines
        self._rising: Rising | None = None
        self.is_kept = False
        """Whether the body was kept, as it turned out."""

    def __enter__(self) -> LineTurn:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._rising is None:
            return
        try:
            if self.is_kept:
                self._standing.settle()
            else:
                self._standing.take_back(self._rising.change)
        finally:
            self._lock.release()

    def mapped(self, parsed: Parsed, shelf: Shelf, now_ns: int, key: bytes | None) -> Parsed:
        """The same, with those points that a rule names turned into messages and queues.

        Args:
            parsed: what came, without what may not come in.
            shelf: remembers what series mean.
            now_ns: nanoseconds since the epoch.
            key: of the body; None: a crash in the middle may lose what its counters rose by.

        Raises:
            StoreError: what counters stood at is not read back yet, or cannot be kept.
        """
        db = parsed.batch.points.column("db")[0].as_py()
        measured, rows = self._lines.measured(parsed.batch.points)
        draft = draft_of(measured, shelf, db, now_ns, is_line=True)
        is_mapped = shelf.at["target"][draft.numbers.rows] != Target.POINT
        if not is_mapped.any():
            return parsed
        parsed = without_rows(parsed, rows[is_mapped])
        return self._moved(parsed, draft.only(is_mapped), key)

    def _moved(self, parsed: Parsed, draft: Draft, key: bytes | None) -> Parsed:
        if self._rising is None:
            self._lock.acquire()
        else:  # read once more
            self._standing.take_back(self._rising.change)
        self._rising = rising = Rising(draft.shelf, self._standing)
        if not self._standing.is_open:
            raise StoreError("what counters stood at is not read back yet", permanent=False)
        draft.rise(rising)
        batch = _joined(parsed.batch, draft, rising)
        self._standing.move(key if batch.row_count else None, rising.change)
        return replace(parsed, batch=batch)


class LineMap:
    """Rules for bodies that come one by one and that nothing can refuse, as in a replay."""

    def __init__(self, rules: Sequence[MapRule]) -> None:
        self._rules = rules
        self._standing, self._lines = Standing(), LineSeries()
        self._shelf = self._new_shelf()

    def mapped(self, parsed: Parsed) -> Parsed:
        """The same, with those points that a rule names turned into messages and queues."""
        if not self._rules or not parsed.batch.points.num_rows:
            return parsed
        if self._shelf.is_full:
            self._shelf = self._new_shelf()
        with LineTurn(self._standing, threading.Lock(), self._lines) as turn:
            mapped = turn.mapped(parsed, self._shelf, _ANY_TIME_NS, None)
            turn.is_kept = True
        return mapped

    def _new_shelf(self) -> Shelf:
        return Shelf(lambda series, manner: read_series(series, self._rules, manner))


def _joined(batch: Batch, draft: Draft, rising: Rising) -> Batch:
    messages = messages_table(draft.shelf, draft.db, rising.messages.counted())
    durations = messages_table(draft.shelf, draft.db, rising.durations.counted())
    joined = replace(
        batch,
        messages=_both(batch.messages, messages),
        queue=_both(batch.queue, draft.queue().table),
    )
    if durations.num_rows:
        joined = replace(joined, durations=durations)
    return joined


def _both(first: pa.Table, second: pa.Table) -> pa.Table:
    if not first.num_rows or not second.num_rows:
        return first if first.num_rows else second
    return pa.concat_tables([first, second]).unify_dictionaries().combine_chunks()
