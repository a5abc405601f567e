"""The thread that carries the journal's bodies into the engine, segment by segment.

1. Wait until a segment is full, or its first body has waited long enough.
2. Draw its border in the journal: from here on these bodies are one insert, also after a crash.
3. Insert each of its tables with one token; while the engine refuses, try again, waiting longer
   each time. A table that has it already drops it by the token.
4. Hand the sums to detection, then tell the journal to forget the segment.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from functools import partial

from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta
from streamgauge.store.engine import Engine
from streamgauge.store.journal import Border, Entry, Journal
from streamgauge.store.segment import Segment, build_segment
from streamgauge.store.settings import StoreSettings

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0


class Writer:
    """Inserts in the order of acknowledgement. `inserting` is held while a segment goes in."""

    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        add_delta: Callable[[Delta], None],
        settings: StoreSettings,
    ) -> None:
        self._journal, self._engine = journal, engine
        self._add_delta, self._settings = add_delta, settings
        self.inserting = threading.Lock()
        self.inserted_lines = 0
        self.segment_count = 0
        self.error_count = 0
        self.problem: str = ""
        """Why inserting stands still, for people; empty while it goes on."""
        self._is_stopping = False
        self._stopped = threading.Event()
        self._flushers = 0
        self._thread: threading.Thread | None = None

    def replay_begun(self) -> None:
        """Insert again what a crash may have left half inserted; detection starts after it.

        Raises:
            StoreError: the engine refused.
        """
        while border := self._journal.known_border():
            entries = self._journal.bodies_of(border)
            if entries:
                segment = self._build(entries)
                for name, table in segment.tables.items():
                    self._engine.insert(name, table, border.token)
                self._count(segment)
            self._journal.finish(border.last_seq)

    def start(self) -> None:
        """Begin to insert."""
        self._is_stopping = False
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the segment in hand; what is left stays in the journal."""
        with self._journal.appended:
            self._is_stopping = True
            self._stopped.set()
            self._journal.appended.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that is acknowledged now is queryable; False: not within `timeout_s`."""
        journal = self._journal
        with journal.appended:
            last_seq = journal.last_seq
            self._flushers += 1
            journal.appended.notify_all()
            try:
                return journal.appended.wait_for(lambda: journal.done_seq >= last_seq, timeout_s)
            finally:
                self._flushers -= 1

    def _run(self) -> None:
        while entries := self._next_segment():
            with self.inserting:
                self._insert(entries)

    def _next_segment(self) -> list[Entry]:
        """The next segment's bodies, when it is time; none: it is time to stop."""
        appended, settings = self._journal.appended, self._settings
        with appended:
            appended.wait_for(lambda: self._is_stopping or self._journal.pending()[0] > 0)
            appended.wait_for(self._is_due, settings.segment_max_wait_s)
            if self._is_stopping:
                return []
            return self._journal.next_bodies(settings.segment_max_lines)

    def _is_due(self) -> bool:
        is_full = self._journal.pending()[1] >= self._settings.segment_max_lines
        return is_full or self._is_stopping or self._flushers > 0

    def _insert(self, entries: list[Entry]) -> None:
        border = Border(entries[0].seq, entries[-1].seq, uuid.uuid4().hex)
        made: list[Segment] = []
        steps = [
            lambda: self._journal.draw_border(border),
            lambda: made.append(self._build(entries)),
        ]
        if not all(self._until_done(step) for step in steps):
            return
        for name, table in made[0].tables.items():
            if not self._until_done(partial(self._engine.insert, name, table, border.token)):
                return
        self._add_delta(made[0].delta)
        self._count(made[0])
        self._until_done(lambda: self._journal.finish(border.last_seq))

    def _build(self, entries: list[Entry]) -> Segment:
        return build_segment([(entry.seq, self._journal.load(entry)) for entry in entries])

    def _until_done(self, step: Callable[[], None]) -> bool:
        """Try `step` until it succeeds; False: the writer was stopped meanwhile."""
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                step()
            except StoreError as error:
                self.error_count += 1
                self.problem = f"lines wait in the journal, inserting fails: {error}"
            else:
                self.problem = ""
                return True
            if self._stopped.wait(backoff_s):
                return False
            backoff_s = min(backoff_s * 2, MAX_BACKOFF_S)

    def _count(self, segment: Segment) -> None:
        self.inserted_lines += segment.line_count
        self.segment_count += 1
