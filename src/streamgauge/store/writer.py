"""The thread that carries the journal's bodies into the engine, segment by segment.

1. Wait until a segment is full, or its first body has waited long enough.
2. Draw its border in the journal: from here on these bodies are one insert, also after a crash.
3. Insert each of its tables with one token; while the engine refuses, try again, waiting longer
   each time. A table that has it already drops it by the token. What is refused for what it *is*
   is set aside, or nothing would ever follow it.
4. Hand the sums to detection, then tell the journal to forget the segment.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from functools import partial

import structlog

from streamgauge.model.feed import Delta
from streamgauge.store.attempts import Attempts
from streamgauge.store.engine import Engine
from streamgauge.store.journal import Border, Entry, Journal
from streamgauge.store.segment import Segment, build_segment
from streamgauge.store.setaside import SetAside
from streamgauge.store.settings import StoreSettings

log = structlog.get_logger(__name__)


class Writer:
    """Inserts in the order of acknowledgement. `inserting` is held while a segment goes in."""

    def __init__(
        self,
        journal: Journal,
        engine: Engine,
        add_delta: Callable[[Delta], None],
        settings: StoreSettings,
        aside: SetAside,
    ) -> None:
        self._journal, self._engine, self._aside = journal, engine, aside
        self._add_delta, self._settings = add_delta, settings
        self.inserting = threading.Lock()
        self.inserted_lines = 0
        self.segment_count = 0
        self._attempts = Attempts()
        self._is_stopping = False
        self._flushers = 0
        self._thread: threading.Thread | None = None

    @property
    def problem(self) -> str:
        """Why inserting stands still, for people; empty while it goes on."""
        return self._attempts.problem

    @property
    def error_count(self) -> int:
        """Attempts that failed."""
        return self._attempts.error_count

    def replay_begun(self) -> None:
        """Insert again what a crash may have left half inserted; detection starts after it.

        Raises:
            StoreError: the engine refused.
        """
        self._attempts.is_patient = False
        try:
            self._replay_begun()
        finally:
            self._attempts.is_patient = True

    def _replay_begun(self) -> None:
        while border := self._journal.known_border():
            entries = self._journal.bodies_of(border)
            made: list[Segment] = []
            if entries and self._build(entries, made):
                self._insert_tables(made, border.token)
            self._journal.finish(border.last_seq)

    def start(self, begin: Callable[[], None] | None = None) -> None:
        """Begin to insert; first `begin` is run in the writer's thread, until it succeeds."""
        self._is_stopping = False
        self._attempts.start()
        self._thread = threading.Thread(
            target=self._run, args=(begin,), name="store-writer", daemon=True
        )
        self._thread.start()

    def wake(self) -> None:
        """Try at once what failed: the engine is there again."""
        self._attempts.wake()

    def stop(self) -> None:
        """End after the segment in hand; what is left stays in the journal."""
        with self._journal.appended:
            self._is_stopping = True
            self._attempts.stop()
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

    def _run(self, begin: Callable[[], None] | None) -> None:
        try:
            if begin is not None and not self._attempts.until_done(begin):
                return
            while entries := self._next_segment():
                with self.inserting:
                    self._insert(entries)
        except Exception as error:  # what has begun is sent again after a restart, and counts once
            self._attempts.problem = f"inserting has ended ({error!r}): restart streamgauge"
            log.exception("inserting has ended, a defect: restart streamgauge, and report it")

    def _next_segment(self) -> list[Entry]:
        """The next segment's bodies, when it is time; none: it is time to stop."""
        appended, settings = self._journal.appended, self._settings
        with appended:
            appended.wait_for(lambda: self._is_stopping or self._journal.pending()[0] > 0)
            appended.wait_for(self._is_due, settings.segment_max_wait_s)
            appended.wait_for(self._has_company, settings.trickle_wait_s)
            if self._is_stopping:
                return []
            return self._journal.next_bodies(settings.segment_max_lines, settings.segment_max_bytes)

    def _is_due(self) -> bool:
        lines, size = self._journal.pending()[1], self._journal.waiting_bytes
        settings = self._settings
        is_full = lines >= settings.segment_max_lines or size >= settings.segment_max_bytes
        return is_full or self._is_stopping or self._flushers > 0

    def _has_company(self) -> bool:
        return self._is_due() or self._journal.pending()[1] > self._settings.trickle_lines

    def _insert(self, entries: list[Entry]) -> None:
        border = Border(entries[0].seq, entries[-1].seq, uuid.uuid4().hex)
        made: list[Segment] = []
        is_done = (
            self._attempts.until_done(lambda: self._journal.draw_border(border))
            and self._build(entries, made)
            and self._insert_tables(made, border.token)
        )
        if is_done:
            for segment in made:
                self._add_delta(segment.delta)
            self._attempts.until_done(lambda: self._journal.finish(border.last_seq))

    def _build(self, entries: list[Entry], made: list[Segment]) -> bool:
        """Put the segment of `entries` into `made`; none, if all of them had to be set aside."""
        return self._attempts.until_done(
            lambda: made.append(self._segment_of(entries)),
            lambda reason: made.extend(self._readable_part(entries, reason)),
        )

    def _segment_of(self, entries: list[Entry]) -> Segment:
        return build_segment([(entry.seq, self._journal.load(entry)) for entry in entries])

    def _readable_part(self, entries: list[Entry], reason: str) -> list[Segment]:
        """Set aside the bodies that make no segment, and make one of the others."""
        bad = [entry for entry in entries if not self._is_readable(entry)] or entries
        for entry in bad:
            payload = self._journal.read(entry)
            self._aside.keep_body(entry.seq, entry.line_count, payload, reason)
        good = [entry for entry in entries if entry not in bad]
        return [self._segment_of(good)] if good else []

    def _is_readable(self, entry: Entry) -> bool:
        try:
            self._segment_of([entry])
        except Exception:  # whatever it is, it is in this body
            return False
        return True

    def _insert_tables(self, made: list[Segment], token: str) -> bool:
        for segment in made:
            for name, rows in segment.tables.items():
                insert = partial(self._engine.insert, name, rows, token)
                if not self._attempts.until_done(
                    insert, partial(self._aside.keep_rows, name, rows, token)
                ):
                    return False
            self.inserted_lines += segment.line_count
            self.segment_count += 1
        return True
