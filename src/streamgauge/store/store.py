"""The store as the rest of streamgauge knows it: takes bodies, answers questions, feeds detection.

It only wires the parts: journal, writer, feed and queries.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta, History
from streamgauge.model.refusal import RefusedLine
from streamgauge.model.usage import StoreUsage, TenantUsage
from streamgauge.model.views import Filters, FlowRow, Lag, Overview, TimeSeries
from streamgauge.store import queries
from streamgauge.store import usage as usages
from streamgauge.store.diskstate import DiskState
from streamgauge.store.engine.address import is_embedded
from streamgauge.store.engine.brokenparts import BrokenParts
from streamgauge.store.engine.durability import set_durability
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.place import Place
from streamgauge.store.engine.scratch import Scratch
from streamgauge.store.journal.intake import body_of
from streamgauge.store.journal.journal import Journal
from streamgauge.store.journal.retrykeys import RetryKeys, digest
from streamgauge.store.kept import KeptFrom, Known
from streamgauge.store.levels import MESSAGES, MINUTE, NS_A_HOUR
from streamgauge.store.lock import FolderLock
from streamgauge.store.migrate import migrate, pending
from streamgauge.store.moves.backup import copy_frozen, freeze
from streamgauge.store.moves.snapshot import Copy
from streamgauge.store.numbers import numbers
from streamgauge.store.retention import Retention, retain
from streamgauge.store.rollup.pending import Pending
from streamgauge.store.rollup.segment import ROWS_BITS
from streamgauge.store.settings import StoreSettings
from streamgauge.store.writer.changes import ChangeFeed
from streamgauge.store.writer.feed import FeedBuffer, merge
from streamgauge.store.writer.restoring import restore
from streamgauge.store.writer.setaside import SetAside
from streamgauge.store.writer.sharing import Sharing
from streamgauge.store.writer.writer import Writer

AHEAD_S = 3600.0
"""How far ahead of our clock a line may be stamped (DESIGN section 4)."""
CLOSING_LOOK_S = 1.0
"""The end does not wait longer for an engine that refuses: its lines are safe in the journal."""
HISTORY_PATIENCE_S = 60.0
"""How long `history` waits for the segment in hand."""
HISTORY_LOOK_S = 0.25
"""While it waits, how often it looks whether waiting has become useless."""
STARTING = "the engine is being started"
SEQS_PER_S = 100
"""Bodies are numbered from the clock on where nothing tells the newest number. So many a second
were not taken on average, so that these are above every number stored."""


class Store:
    """Thread-safe between `open` and `close`."""

    def __init__(
        self,
        url: str | None,
        data_dir: Path,
        clock: Clock,
        settings: StoreSettings,
        sharing: Sharing | None = None,
    ) -> None:
        """Nothing is touched before `open`.

        Args:
            url: `chdb:///absolute/path` for the embedded engine, `clickhouse://…` for a server;
                None: `engine_found` will tell.
            data_dir: Where journal and lock stand.
            clock: Tells the age of keys and lines.
            settings: Limits.
            sharing: With whom the engine is shared; None: it is ours alone.
        """
        self._sharing, self._changes = sharing, ChangeFeed(settings.feed_max_segments)
        self._data_dir, self._clock, self._settings = data_dir, clock, settings
        self._engine = Engine(url, settings)
        self._capacity = queries.CapacityMemory()
        self._lock = FolderLock(data_dir)
        self._scratch = Scratch(data_dir)
        self._aside = SetAside(data_dir / "set-aside")
        self._feed = FeedBuffer(settings.feed_max_rows)
        self._kept = KeptFrom()
        self._pending = Pending(
            data_dir / "pending", settings.fsync, settings.rollup_wait_s, settings.pending_max_rows
        )
        self._journal: Journal | None = None
        self._writer: Writer | None = None
        self._disk = DiskState(data_dir)
        self._broken = BrokenParts(self._engine)
        self._is_local = url is None or is_embedded(url)
        self._closed_because = "the store is not open"
        self._replayed_seq = 0
        self._engine_starts = 0
        self._ready = threading.Event()
        """Set while the engine can be asked."""

    # -- life ---------------------------------------------------------------------------------

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
            if is_patient:
                self._engine.suspend(STARTING)
            else:
                self._engine.open()
                self._make_schema()
            self._pending.open()
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
        if self._engine.is_addressed:
            self._engine.open()
        self._make_schema()
        self._kept.load(self._engine)
        self._opened_writer().replay_begun()
        self._ready.set()

    def _make_schema(self) -> None:
        if self._sharing is None or self._sharing.migrates:
            migrate(self._engine)
            set_durability(self._engine, self._settings.fsync)
        elif pending(self._engine):
            raise StoreError(
                "the tables of this version are not there yet: start the process that detects, "
                "which makes them",
                permanent=False,
            )

    def engine_found(self, url: str) -> None:
        """The engine answers at `url`: whatever waits for it goes on."""
        self._engine.move_to(url)
        self._engine_starts += 1
        if self._writer is not None:
            self._writer.wake()

    def engine_lost(self, why: str) -> None:
        """The engine is away until `engine_found`: questions are refused with this reason."""
        self._engine.suspend(why)

    def _new_writer(self, journal: Journal) -> Writer:
        def oldest_minute_hour() -> int:
            return self._known().begins_ns(MESSAGES, MINUTE) // NS_A_HOUR

        return Writer(
            journal,
            self._engine,
            self._feed.add if self._sharing is None else _ignore,
            self._settings,
            self._aside,
            self._pending,
            oldest_minute_hour,
            self._sharing,
        )

    def _open_journal(self, is_patient: bool) -> Journal:
        folder, settings = self._data_dir / "journal", self._settings
        journal = Journal(
            folder,
            max_bytes=settings.journal_max_bytes,
            held_max_bytes=settings.held_max_bytes,
            fsync=settings.fsync,
            keys=RetryKeys(folder, settings.retry_keys_in_memory),
            first_seq=self._first_body_number(is_patient),
            file_max_bytes=settings.journal_file_max_bytes,
        )
        journal.open(self._clock.now())
        return journal

    def _first_body_number(self, is_patient: bool) -> int:
        """Where to count from when there is no journal: above every number stored."""
        if any((self._data_dir / "journal").glob("*.journal")):
            return 1
        if is_patient:
            return int(self._clock.now() * SEQS_PER_S)
        newest = self._engine.query(
            "SELECT greatest((SELECT max(seq) FROM queue), (SELECT max(seq) FROM points)) AS seq"
        )
        return (int(newest.column("seq")[0].as_py()) >> ROWS_BITS) + 1

    def close(self, flush_timeout_s: float = 30.0) -> None:
        """Insert what is acknowledged, as far as time allows; then end threads and connections.

        What could not be inserted stays in the journal.
        """
        if self._writer is not None:
            for _ in range(math.ceil(flush_timeout_s / CLOSING_LOOK_S)):
                if self._writer.settle(CLOSING_LOOK_S) or self._insert_problem():
                    break
            self._writer.stop()
        self._release()

    def _release(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._pending.close()
        self._engine.close()
        self._scratch.give_back()
        self._lock.release()
        self._journal = self._writer = None
        self._ready.clear()

    # -- receive's sink -----------------------------------------------------------------------

    def write(self, parsed: Parsed, retry_key: bytes | None, received_at: float) -> bool:
        """Keep a body; when this returns it survives a crash. False: it is a known retry.

        Args:
            parsed: The columns, and the lines that were refused.
            retry_key: What the request is known by, any length; None: by nothing.
            received_at: Epoch seconds.

        Raises:
            Overloaded: the journal's budget is used.
            StoreError: the disk refused.
        """
        journal = self._opened_journal()
        body = body_of(parsed, retry_key, received_at)
        if not body.line_count:
            return True
        try:
            is_new = journal.append(body)
        except StoreError as error:
            self._disk.failed(error)
            raise
        self._disk.worked()
        return is_new

    def knows(self, retry_key: bytes) -> bool:
        """Whether a body of that key was kept before, so that `write` would return False."""
        return self._opened_journal().knows(digest(retry_key))

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was acknowledged is queryable; False: not within `timeout_s`."""
        end = time.monotonic() + timeout_s
        is_inserted = self._opened_writer().flush(timeout_s)
        return is_inserted and self._ready.wait(max(end - time.monotonic(), 0.0))

    def settle(self, timeout_s: float) -> bool:
        """Wait until hours and days hold all that was acknowledged; False: not in `timeout_s`.

        No question needs it: until then minutes stand in. For those who read the tables past us.
        """
        return self._opened_writer().settle(timeout_s)

    # -- questions ----------------------------------------------------------------------------

    def overview(self, from_s: float, to_s: float, filters: Filters) -> Overview:
        """See `queries.overview`."""
        return queries.overview(self._asked(), self._known(), from_s, to_s, filters, self._capacity)

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        """See `queries.timeseries`."""
        return queries.timeseries(
            self._asked(), self._known(), metric, from_s, to_s, step_s, by, filters
        )

    def flows(
        self,
        from_s: float,
        to_s: float,
        by: Sequence[str],
        sort: str,
        limit: int,
        filters: Filters,
    ) -> list[FlowRow]:
        """See `queries.flows`."""
        return queries.flows(self._asked(), self._known(), from_s, to_s, by, sort, limit, filters)

    def _known(self) -> Known:
        """What questions have to know of the levels; taken before each of them."""
        return Known(self._kept.from_ns, self._pending.open_hours)

    def refused_lines(self, tenant: str | None, since_s: float, limit: int) -> list[RefusedLine]:
        """See `queries.refused_lines`."""
        return queries.refused_lines(self._asked(), tenant, since_s, limit)

    def lag(self) -> Lag:
        """What is acknowledged and not yet queryable."""
        journal = self._opened_journal()
        _, lines = journal.pending()
        oldest = journal.oldest_received_at()
        seconds = max(self._clock.now() - oldest, 0.0) if oldest is not None else 0.0
        return Lag(lines=lines, seconds=seconds)

    def waiting_since(self) -> float | None:
        """When the oldest line came that is not queryable, epoch seconds; None: none waits."""
        return self._opened_journal().oldest_received_at()

    # -- detection's feed ---------------------------------------------------------------------

    def take(self) -> Delta | None:
        """What was inserted since the last call; None: it overflowed, ask `history`."""
        if self._sharing is None:
            return self._feed.take()
        came, ahead = self._changes.take(self._asked()), self._feed.take()
        return merge([ahead, came]) if came is not None and ahead is not None else None

    def history(self, until_s: float) -> History:
        """What the rollups hold before `until_s`; the feed starts again from there.

        Lines stamped after `until_s` that are stored already (clocks run ahead by up to an hour)
        come by the next `take`.

        Raises:
            StoreError: the engine refused, or inserting stands still.
        """
        writer = self._opened_writer()
        self._hold_inserting(writer)
        try:
            if self._sharing:
                self._changes.restart(self._asked())
            past = queries.history(self._asked(), self._known(), until_s)
            ahead = queries.minutes_between(
                self._asked(),
                math.ceil(until_s / 60),
                math.ceil((self._clock.now() + AHEAD_S) / 60) + 1,
            )
            self._feed.clear()
            self._feed.add(ahead)
        finally:
            writer.inserting.release()
        return past

    def _hold_inserting(self, writer: Writer) -> None:
        """Wait for the segment in hand, but not for one that cannot go in."""
        for _ in range(math.ceil(HISTORY_PATIENCE_S / HISTORY_LOOK_S)):
            self._asked()
            if writer.inserting.acquire(timeout=HISTORY_LOOK_S):
                return
            if self._insert_problem():
                break
        why = self._insert_problem() or "inserting takes too long"
        raise StoreError(f"the history cannot be read: {why}", permanent=False)

    def replay_slices(
        self, from_s: float, to_s: float, tick_s: float
    ) -> Iterator[tuple[float, Delta]]:
        """See `queries.replay_slices`."""
        return queries.replay_slices(self._asked(), from_s, to_s, tick_s)

    # -- care ---------------------------------------------------------------------------------

    def retain(self, retention: Retention | None = None) -> int:
        """Forget what is older than it has to be kept; returns how many parts were dropped.

        Args:
            retention: Instead of what is set.

        Raises:
            StoreError: the engine refused.
        """
        settings = self._settings
        retention = retention or Retention(
            settings.raw_retention_s,
            settings.minute_retention_s,
            settings.hour_retention_s,
            settings.day_retention_s,
        )
        settled = self._opened_writer().while_settled
        return retain(self._engine, self._kept, retention, self._clock.now(), settled)

    def usage(self) -> StoreUsage:
        """See `usages.usage`.

        Raises:
            StoreError: the engine cannot be asked.
        """
        return usages.usage(self._asked(), self._data_dir, self._clock.now())

    def tenant_usage(self, from_s: float, to_s: float) -> list[TenantUsage]:
        """See `usages.tenants`.

        Raises:
            StoreError: the engine cannot be asked.
        """
        return usages.tenants(self._asked(), from_s, to_s)

    def room_bytes(self) -> int:
        """What is free where the data stands.

        Raises:
            StoreError: it cannot be asked.
        """
        return usages.room_bytes(self._asked(), self._data_dir if self._is_local else None)

    def problems(self) -> list[str]:
        """Reasons for not being ready, for people; empty: writes and queries are served."""
        if self._writer is None or self._journal is None:
            return [self._closed_because]
        found = [self._journal.problem() or self._disk.problem(), self._insert_problem()]
        if self._journal.done_seq < self._replayed_seq:
            found.append("lines of the last run are still being read back from the journal")
        return [problem for problem in found if problem]

    def _insert_problem(self) -> str:
        """Why nothing reaches the engine, for people; empty: it does."""
        if self._engine.problem:
            return self._engine.problem
        starting = "" if self._ready.is_set() else STARTING
        return (self._writer.problem if self._writer is not None else "") or starting

    def _asked(self) -> Engine:
        """The engine, for questions.

        Raises:
            StoreError: it cannot be asked yet.
        """
        if not self._ready.is_set():
            raise StoreError(self._insert_problem() or STARTING, permanent=False)
        return self._engine

    def notices(self) -> list[str]:
        """What somebody has to look at while all is served, for people: damage, set-aside rows."""
        damage = self._journal.damage.notice() if self._journal is not None else ""
        return [told for told in (damage, self._aside.notice(), *self._broken.notices()) if told]

    def tend(self) -> None:
        """Look for damage in the engine's files, and put back what is wanted; every few seconds.

        Raises:
            StoreError: the engine or the disk refused.
        """
        if self._journal is not None and self._ready.is_set():
            restore(self._aside, self._engine, self._journal, self._clock.now())
            if self._is_local:
                self._broken.look()

    def freeze(self, folder: Path) -> Copy:
        """See `backup.freeze`; `copy_frozen` writes it somewhere.

        Raises:
            StoreError: the engine refused, or it is a server's, which backs itself up.
        """
        if not self._is_local:
            text = "the engine is a server: back it up by its own BACKUP (docs/moving.md)"
            raise StoreError(text, permanent=True)
        return freeze(self._asked(), self._opened_writer(), self._opened_journal(), folder)

    def copy_frozen(self, place: Place, stop: threading.Event) -> None:
        """See `backup.copy_frozen`."""
        copy_frozen(self._asked(), place, stop)

    def stats(self) -> dict[str, float]:
        """Numbers about the store itself, for `/metrics`."""
        if self._writer is None or self._journal is None:
            return {}
        return numbers(self._journal, self._writer, self._feed, self._aside) | {
            "engine_is_away": float(bool(self._engine.problem)),
            "engine_starts_total": float(self._engine_starts),
        }

    def _opened_journal(self) -> Journal:
        if self._journal is None:
            raise StoreError(self._closed_because, permanent=False)
        return self._journal

    def _opened_writer(self) -> Writer:
        if self._writer is None:
            raise StoreError(self._closed_because, permanent=False)
        return self._writer


def _ignore(_: Delta) -> None:
    """Where the engine is shared, all writers' sums come from its table of changes."""
