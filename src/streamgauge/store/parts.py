"""The store's parts: made, opened in order, asked for, ended in order.

What is wrong with them is said here; what is done with them is `store.store`'s. Who opens a store
whose former process was killed finishes what that had begun before anything is answered.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta
from streamgauge.store import queries
from streamgauge.store.diskstate import DiskState
from streamgauge.store.engine.address import embedded_path, is_embedded
from streamgauge.store.engine.brokenparts import BrokenParts
from streamgauge.store.engine.durability import set_durability
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.insertlog import forget_unfinished
from streamgauge.store.engine.scratch import Scratch
from streamgauge.store.journal.journal import Journal
from streamgauge.store.journal.opening import has_journal, opened_journal
from streamgauge.store.kept import KeptFrom, Known
from streamgauge.store.levels import MESSAGES, MINUTE, NS_A_HOUR
from streamgauge.store.lock import FolderLock
from streamgauge.store.migrate import migrate, pending
from streamgauge.store.rollup.pending import Pending
from streamgauge.store.rollup.segment import ROWS_BITS
from streamgauge.store.settings import StoreSettings
from streamgauge.store.writer.feed import FeedBuffer
from streamgauge.store.writer.finishing import finish_begun
from streamgauge.store.writer.newflows import Remembered
from streamgauge.store.writer.setaside import ASIDE, SetAside
from streamgauge.store.writer.sharing import Sharing
from streamgauge.store.writer.writer import Writer

CLOSING_LOOK_S = 1.0
"""The end does not wait longer for an engine that refuses: its lines are safe in the journal."""
STARTING = "the engine is being started"
SEQS_PER_S = 100
"""Bodies are numbered from the clock on where nothing tells the newest number. So many a second
were not taken on average, so that these are above every number stored."""


class Parts:
    """Thread-safe between `open` and `close`."""

    def __init__(
        self,
        url: str | None,
        data_dir: Path,
        clock: Clock,
        settings: StoreSettings,
        sharing: Sharing | None,
    ) -> None:
        """Nothing is touched before `open`. Args: see `Store`."""
        self._url, self.sharing = url, sharing
        self.data_dir, self.clock, self.settings = data_dir, clock, settings
        self.engine = Engine(url, settings)
        self._lock = FolderLock(data_dir)
        self._scratch = Scratch(data_dir)
        self.aside = SetAside(data_dir / ASIDE)
        self.feed = FeedBuffer(settings.feed_max_rows)
        self.kept = KeptFrom()
        self.pending = Pending(
            data_dir / "pending", settings.fsync, settings.rollup_wait_s, settings.pending_max_rows
        )
        self._journal: Journal | None = None
        self._writer: Writer | None = None
        self._stands_in = Remembered()
        self.disk = DiskState(data_dir)
        self.broken = BrokenParts(self.engine)
        self.is_local = url is None or is_embedded(url)
        self._closed_because = "the store is not open"
        self._replayed_seq = 0
        self.engine_starts = 0
        self._ready = threading.Event()
        """Set while the engine can be asked."""

    def open(self, is_patient: bool = False) -> None:
        """Lock the data folder, read the journal, make the engine ready, start the writer.

        Args:
            is_patient: Return once bodies are taken. The writer's thread makes the engine ready
                then, however often it has to try; until it is, questions are refused, and
                `problems` says why.

        Raises:
            ConfigError: another process uses the folder.
            StoreError: the folder or the engine cannot be used; says what to do.
        """
        try:
            self._lock.acquire()
            self._scratch.take()
            if self._url is not None and is_embedded(self._url):
                forget_unfinished(Path(embedded_path(self._url)))
            if is_patient:
                self.engine.suspend(STARTING)
            else:
                self.engine.open()
                if not has_journal(
                    self.data_dir
                ):  # else it is needed first, to finish what was begun
                    self._make_schema()
            self.pending.open()
            self._journal = self._open_journal(is_patient)
            self._writer = self._new_writer(self._journal)
            self._replayed_seq = self._journal.last_seq
            if not is_patient:
                self._make_ready()
            self._writer.start(self._make_ready if is_patient else None)
        except BaseException as error:
            if isinstance(error, StoreError):
                self._closed_because = str(error)
            self._release()
            raise

    def _make_ready(self) -> None:
        """Bring the schema up to date, and finish what a crash may have left half inserted."""
        if self.engine.is_addressed:
            self.engine.open()
        self._make_schema()
        self.kept.load(self.engine)
        self.opened_writer().replay_begun()
        self._ready.set()

    def _make_schema(self) -> None:
        if self.sharing is None or self.sharing.migrates:
            if self._journal is not None:
                finish_begun(self.engine, self._journal, self.aside)
            migrate(self.engine)
            set_durability(self.engine, self.settings.fsync)
        elif pending(self.engine):
            raise StoreError(
                "the tables of this version are not there yet: start the process that detects, "
                "which makes them",
                permanent=False,
            )

    def engine_found(self, url: str) -> None:
        """The engine answers at `url`: whatever waits for it goes on."""
        self.engine.move_to(url)
        self.engine_starts += 1
        if self._writer is not None:
            self._writer.wake()

    def engine_lost(self, why: str) -> None:
        """The engine is away until `engine_found`: questions are refused with this reason."""
        self.engine.suspend(why)

    def _new_writer(self, journal: Journal) -> Writer:
        def oldest_minute_hour() -> int:
            return self.known().begins_ns(MESSAGES, MINUTE) // NS_A_HOUR

        return Writer(
            journal,
            self.engine,
            self.feed.add if self.sharing is None else _ignore,
            self.settings,
            self.aside,
            self.pending,
            oldest_minute_hour,
            self.sharing,
        )

    def _open_journal(self, is_patient: bool) -> Journal:
        first_seq = self._first_body_number(is_patient)
        return opened_journal(self.data_dir, self.settings, first_seq, self.clock.now())

    def _first_body_number(self, is_patient: bool) -> int:
        """Where to count from when there is no journal: above every number stored."""
        if has_journal(self.data_dir):
            return 1
        if is_patient:
            return int(self.clock.now() * SEQS_PER_S)
        newest = self.engine.query(
            "SELECT greatest((SELECT max(seq) FROM queue), (SELECT max(seq) FROM points)) AS seq"
        )
        return (int(newest.column("seq")[0].as_py()) >> ROWS_BITS) + 1

    def close(self, flush_timeout_s: float = 30.0) -> None:
        """Insert what is acknowledged, as far as time allows; then end threads and connections.

        What could not be inserted stays in the journal.
        """
        if self._writer is not None:
            for _ in range(math.ceil(flush_timeout_s / CLOSING_LOOK_S)):
                if self._writer.settle(CLOSING_LOOK_S) or self.insert_problem():
                    break
            self._writer.stop()
        self._release()

    def _release(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self.pending.close()
        self.engine.close()
        self._scratch.give_back()
        self._lock.release()
        self._journal = self._writer = None
        self._ready.clear()

    def known(self) -> Known:
        """What questions have to know of the levels; taken before each of them."""
        return Known(self.kept.from_ns, self.pending.open_hours)

    def known_flows(self) -> Known:
        """`known`, and what depends on which flows there are: asks the engine where one is new.

        Raises:
            StoreError: the engine refused.
        """
        if self.sharing is not None:  # others bring flows, too
            may_stand_in = queries.may_stand_in(self.asked())
        else:
            version = self.opened_writer().flows.version
            may_stand_in = self._stands_in.get(version, lambda: queries.may_stand_in(self.asked()))
        return replace(self.known(), may_stand_in=may_stand_in)

    def problems(self) -> list[str]:
        """Reasons for not being ready, for people; empty: writes and queries are served."""
        if self._writer is None or self._journal is None:
            return [self._closed_because]
        found = [self._journal.problem() or self.disk.problem(), self.insert_problem()]
        if self._journal.done_seq < self._replayed_seq:
            found.append("lines of the last run are still being read back from the journal")
        return [problem for problem in found if problem]

    def insert_problem(self) -> str:
        """Why nothing reaches the engine, for people; empty: it does."""
        inserting = self._writer.problem if self._writer is not None else ""
        if self.engine.problem == STARTING and STARTING not in inserting:
            return inserting or STARTING  # a server that is not reached says more than that
        if self.engine.problem:
            return self.engine.problem
        return inserting or ("" if self._ready.is_set() else STARTING)

    def asked(self) -> Engine:
        """The engine, for questions.

        Raises:
            StoreError: it cannot be asked yet.
        """
        if not self._ready.is_set():
            raise StoreError(self.insert_problem() or STARTING, permanent=False)
        return self.engine

    @property
    def is_open(self) -> bool:
        """Whether bodies are taken."""
        return self._journal is not None and self._writer is not None

    @property
    def is_ready(self) -> bool:
        """Whether the engine can be asked."""
        return self._ready.is_set()

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the engine can be asked; False: not within `timeout_s`."""
        return self._ready.wait(timeout_s)

    def opened_journal(self) -> Journal:
        """The journal.

        Raises:
            StoreError: the store is not open; says why.
        """
        if self._journal is None:
            raise StoreError(self._closed_because, permanent=False)
        return self._journal

    @contextmanager
    def while_still(self, within_s: float = -1) -> Iterator[None]:
        """Inside of it nothing is inserted; bodies are taken all the same.

        Args:
            within_s: How long to wait for the segment in hand; -1: as long as it takes.

        Raises:
            StoreError: the store is not open, says why; or it took longer.
        """
        inserting = self.opened_writer().inserting
        if not inserting.acquire(timeout=within_s):
            raise StoreError("a segment is being inserted: try again", permanent=False)
        try:
            yield
        finally:
            inserting.release()

    def opened_writer(self) -> Writer:
        """The writer.

        Raises:
            StoreError: the store is not open; says why.
        """
        if self._writer is None:
            raise StoreError(self._closed_because, permanent=False)
        return self._writer


def _ignore(_: Delta) -> None:
    """Where the engine is shared, all writers' sums come from its table of changes."""
