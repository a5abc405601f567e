"""The thread that carries the journal's bodies into the engine, segment by segment.

1. Wait until a segment is full, or its first body has waited long enough.
2. Draw its border in the journal: from here on these bodies are one insert, also after a crash.
3. Insert each of its tables with one token; while the engine refuses, try again, waiting longer
   each time. A table that has it already drops it by the token. What is refused for what it *is*
   is set aside, or nothing would ever follow it.
4. Add its minutes to what waits for hours and days; now and then insert that (`store.pending`).
5. Hand the sums to detection, then tell the journal to forget the segment.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pyarrow as pa
import structlog

from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.journal import Border, Entry, Journal
from streamgauge.store.rollup.coarse import day_rows, hour_rows, hours_of
from streamgauge.store.rollup.pending import Pending
from streamgauge.store.rollup.segment import Segment, build_segment
from streamgauge.store.settings import StoreSettings
from streamgauge.store.writer.attempts import Attempts
from streamgauge.store.writer.changes import TABLE as CHANGES
from streamgauge.store.writer.changes import ChangeLog
from streamgauge.store.writer.newflows import NewFlows
from streamgauge.store.writer.setaside import SetAside
from streamgauge.store.writer.sharing import Sharing

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
        pending: Pending,
        oldest_minute_hour: Callable[[], int] = lambda: 0,
        sharing: Sharing | None = None,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            journal: Where bodies come from.
            engine: Where they go.
            add_delta: Is given a segment's sums once it is inserted.
            settings: How large segments are, and how long they wait.
            aside: Takes what the engine never will.
            pending: What waits for hours and days.
            oldest_minute_hour: The hour since the epoch before which minutes are gone, so that
                what is stamped there cannot wait: no minutes could stand in.
            sharing: With whom the engine is shared; None: it is ours alone.
        """
        self._sharing, self._changes = sharing, ChangeLog()
        self._pending, self._oldest_minute_hour = pending, oldest_minute_hour
        self._journal, self._engine, self._aside = journal, engine, aside
        self._add_delta, self._settings = add_delta, settings
        self.inserting = threading.Lock()
        self.inserted_lines = 0
        self.segment_count = 0
        self.flows = NewFlows()
        self._attempts = Attempts()
        self._is_stopping = False
        self._flushers = self._settlers = 0
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
        with self.inserting:  # retention settles in a thread of its own, also during a start
            self._attempts.is_patient = False
            try:
                self._replay_begun()
            finally:
                self._attempts.is_patient = True

    def _replay_begun(self) -> None:
        if self._pending.has_begun:
            self._settle()
        while border := self._journal.known_border():
            entries = self._journal.bodies_of(border)
            made: list[Segment] = []
            if entries and self._build(entries, made):
                self._insert_segments(made, border.token)
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

    def settle(self, timeout_s: float) -> bool:
        """Wait until hours and days, too, hold all that is acknowledged now; False: not yet."""
        appended, until = self._journal.appended, time.monotonic() + timeout_s
        with appended:
            self._settlers += 1
        try:
            is_flushed = self.flush(timeout_s)
            with appended:
                left_s = max(until - time.monotonic(), 0.0)
                is_settled = appended.wait_for(lambda: not self._pending.row_count, left_s)
            return is_flushed and is_settled
        finally:
            with appended:
                self._settlers -= 1

    @contextmanager
    def while_settled(self) -> Iterator[None]:
        """Inside of it nothing waits for hours and days, and nothing is inserted.

        Raises:
            StoreError: the writer was stopped meanwhile.
        """
        with self.inserting:
            if self._pending.row_count and not self._settle():
                raise StoreError("the store is closing", permanent=False)
            yield

    def _run(self, begin: Callable[[], None] | None) -> None:
        try:
            if begin is not None and not self._attempts.until_done(begin):
                return
            while not self._is_stopping:
                entries = self._next_segment()
                with self.inserting:
                    if entries:
                        self._insert(entries)
                    if self._is_settling():
                        self._settle()
        except Exception as error:  # what has begun is sent again after a restart, and counts once
            self._attempts.problem = f"inserting has ended ({error!r}): restart streamgauge"
            log.exception("inserting has ended, a defect: restart streamgauge, and report it")

    def _next_segment(self) -> list[Entry]:
        """The next segment's bodies, when it is time; none: it is time to settle, or to stop."""
        appended, settings = self._journal.appended, self._settings
        with appended:
            appended.wait_for(self._has_work, self._pending.due_in_s())
            if not self._journal.pending()[0]:
                return []
            appended.wait_for(self._is_due, settings.segment_max_wait_s)
            appended.wait_for(self._has_company, settings.trickle_wait_s)
            if self._is_stopping:
                return []
            return self._journal.next_bodies(settings.segment_max_lines, settings.segment_max_bytes)

    def _has_work(self) -> bool:
        return self._is_stopping or self._journal.pending()[0] > 0 or self._is_settling()

    def _is_settling(self) -> bool:
        """Whether what waits for hours and days is to be inserted now."""
        due_in_s = self._pending.due_in_s()
        return due_in_s is not None and (due_in_s <= 0 or self._settlers > 0)

    def _settle(self) -> bool:
        """Give hours and days what waits for them; False: stopped meanwhile."""
        done: list[bool] = []
        is_done = self._attempts.until_done(
            lambda: done.append(self._pending.settle(self._insert_rows))
        )
        with self._journal.appended:
            self._journal.appended.notify_all()
        return is_done and done[-1]

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
            and self._insert_segments(made, border.token)
        )
        if is_done:
            for segment in made:
                self._add_delta(segment.delta)
            self._attempts.until_done(lambda: self._journal.finish(border.last_seq))

    def _build(self, entries: list[Entry], made: list[Segment]) -> bool:
        """Put the segment of `entries` into `made`; none, if there is nothing of ours in them."""
        ours: list[Entry] = []
        if not self._attempts.until_done(lambda: ours.extend(self._ours(entries))):
            return False
        return not ours or self._build_ours(ours, made)

    def _ours(self, entries: list[Entry]) -> list[Entry]:
        return self._sharing.ours(entries, self._journal) if self._sharing else entries

    def _build_ours(self, entries: list[Entry], made: list[Segment]) -> bool:
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

    def _insert_segments(self, made: list[Segment], token: str) -> bool:
        for segment in made:
            for name, rows in segment.tables.items():
                if not self._insert_rows(name, rows, token):
                    return False
            if not (self._add_hours(segment, token) and self._publish(segment, token)):
                return False
            if "last_seen" in segment.tables:
                self.flows.note(segment.tables["last_seen"])
            self.inserted_lines += segment.line_count
            self.segment_count += 1
        return True

    def _publish(self, segment: Segment, token: str) -> bool:
        """Tell detection in another process, last of all: what it hears of can be queried."""
        if self._sharing is None:
            return True
        return self._insert_rows(CHANGES, self._changes.row(segment.delta, token), token)

    def _add_hours(self, segment: Segment, token: str) -> bool:
        """What a segment adds to hours and days: it waits, or goes in at once."""
        hours = hour_rows(segment.tables)
        if self._settings.rollup_wait_s <= 0:
            every = hours | day_rows(hours)
            return all(self._insert_rows(name, rows, token) for name, rows in every.items())
        if self._pending.has_begun and not self._settle():  # what follows is no part of that
            return False
        if not self._attempts.until_done(lambda: self._pending.add(token, hours)):
            return False
        is_old = min(hours_of(hours), default=0) < self._oldest_minute_hour()
        return self._settle() if hours and is_old else True

    def _insert_rows(self, name: str, rows: pa.Table, token: str) -> bool:
        return self._attempts.until_done(
            partial(self._engine.insert, name, rows, token),
            partial(self._aside.keep_rows, name, rows, token),
        )
