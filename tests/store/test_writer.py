"""The writer against an engine that fails in the middle of a segment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from tests.store.lines import body, failed_hop
from tests.store.test_journal import NOW, body_of, opened

from streamgauge.model.errors import StoreError
from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.intake import body_of as stored_body
from streamgauge.store.journal.journal import Border, Entry, Journal
from streamgauge.store.journal.records import Kind, read_frames
from streamgauge.store.migrate import migrate
from streamgauge.store.rollup.pending import Pending
from streamgauge.store.writer.attempts import Attempts
from streamgauge.store.writer.feed import FeedBuffer
from streamgauge.store.writer.setaside import SetAside
from streamgauge.store.writer.writer import Writer
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.chdb
SETTINGS = StoreSettings(segment_max_wait_s=0.0)


class FailingEngine(Engine):
    """Lets a number of inserts pass, then refuses; knows what it was given."""

    def __init__(self, engine: Engine, passes: int) -> None:
        self._engine, self._passes = engine, passes
        self.inserts: list[tuple[str, str]] = []
        self.refusals = 0
        self.has_refused_twice = threading.Event()

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        if len(self.inserts) >= self._passes:
            self.refusals += 1
            if self.refusals == 2:
                self.has_refused_twice.set()
            raise StoreError("the engine refused: on purpose", permanent=False)
        self.inserts.append((table_name, token))
        self._engine.insert(table_name, rows, token)


class PausingEngine(Engine):
    """Holds the first insert into `hour` until it is let go."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.has_come, self.may_go = threading.Event(), threading.Event()

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        if table_name == "hour" and not self.has_come.is_set():
            self.has_come.set()
            assert self.may_go.wait(30)
        self._engine.insert(table_name, rows, token)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened_engine = Engine(f"chdb://{tmp_path}/engine", SETTINGS)
    opened_engine.open()
    migrate(opened_engine)
    yield opened_engine
    opened_engine.close()


def writer_of(journal: Journal, engine: Engine, feed: FeedBuffer) -> Writer:
    folder = journal.files.folder
    pending = Pending(folder / "pending", fsync=False, wait_s=30.0, max_rows=1000)
    pending.open()
    return Writer(journal, engine, feed.add, SETTINGS, SetAside(folder / "aside"), pending)


def lines(engine: Engine, sql: str) -> int:
    return int(engine.query(f"SELECT {sql} AS n").column("n")[0].as_py() or 0)


@pytest.mark.parametrize("passes", [0, 1, 2, 3])
def test_a_segment_broken_off_after_some_tables_counts_once_when_it_is_sent_again(
    tmp_path: Path, engine: Engine, passes: int
) -> None:
    journal, feed = opened(tmp_path / "journal"), FeedBuffer(1000)
    journal.append(body_of("a", lines=70))
    failing = FailingEngine(engine, passes)
    writer = writer_of(journal, failing, feed)
    writer.start()
    assert failing.has_refused_twice.wait(30)
    assert not writer.flush(0)
    assert "on purpose" in writer.problem
    journal.append(body_of("b", lines=5))
    writer.stop()
    journal.close()
    assert feed.row_count == 0, "what is not inserted is not told to detection"

    again = opened(tmp_path / "journal")
    border = again.known_border()
    assert border is not None
    assert all(token == border.token for _, token in failing.inserts)
    writer = writer_of(again, engine, feed)
    writer.replay_begun()
    writer.start()
    assert writer.flush(30)
    writer.stop()
    assert lines(engine, "(SELECT count() FROM messages)") == 75
    assert lines(engine, "(SELECT sum(count) FROM minute)") == 75
    assert lines(engine, "(SELECT sum(lines) FROM seen_minute)") == 75
    assert again.pending() == (0, 0)
    again.close()


def test_wherever_a_segment_of_hops_and_durations_is_broken_off_each_table_has_it_once(
    tmp_path: Path, engine: Engine
) -> None:
    passes = is_whole = 0
    while not is_whole:
        folder, tenant = tmp_path / f"journal{passes}", f"t{passes}"
        journal, feed = opened(folder), FeedBuffer(1000)
        hops = [failed_hop(f"m{n}", "x", at=NOW, tenant=tenant, latency_s=1.0) for n in range(9)]
        durations = [{"at": NOW, "tenant": tenant, "count": 4, "latency_s": 2.0}]
        journal.append(stored_body(body(durations=durations, hops=hops), None, NOW))
        failing = FailingEngine(engine, passes)
        writer = writer_of(journal, failing, feed)
        writer.start()
        is_whole = eventually_flushed_or_refused(writer, failing)
        writer.stop()
        journal.close()
        again = opened(folder)
        writer_of(again, engine, feed).replay_begun()
        again.close()
        for table, what, expected in (
            ("messages", "sum(count)", 9),
            ("messages", "sum(weight)", 4),
            ("minute", "sum(count)", 9),
            ("minute", "sum(arraySum(mapValues(latency_hist)))", 13),
            ("hops", "count()", 9),
            ("error_minute", "sum(count)", 9),
            ("error_samples", "sum(length(samples))", 3),
        ):
            where = f"FROM {table} WHERE tenant = '{tenant}'"
            assert lines(engine, f"(SELECT {what} {where})") == expected, (passes, table, what)
        passes += 1
    assert passes > 7, "each of the tables was the one that failed"


def eventually_flushed_or_refused(writer: Writer, failing: FailingEngine) -> bool:
    """Whether all of the segment was inserted."""
    eventually(
        lambda: writer.flush(0) or failing.has_refused_twice.is_set(),
        within_s=30,
        what="an end of the segment",
    )
    return not failing.has_refused_twice.is_set()


def test_inserting_goes_on_by_itself_when_the_engine_does(tmp_path: Path, engine: Engine) -> None:
    journal, feed = opened(tmp_path / "journal"), FeedBuffer(1000)
    journal.append(body_of("a", lines=3))
    failing = FailingEngine(engine, passes=1)
    writer = writer_of(journal, failing, feed)
    writer.start()
    assert failing.has_refused_twice.wait(30)
    failing._passes = 100
    assert writer.flush(30)
    assert writer.problem == ""
    assert writer.error_count > 0
    taken = feed.take()
    assert taken is not None
    assert taken.minutes.column("count").to_pylist() == [3]
    writer.stop()
    journal.close()


class PickyEngine(Engine):
    """Takes every table but one, which it refuses in a way that trying again cannot help."""

    def __init__(self, engine: Engine, refused: str, error: Exception) -> None:
        self._engine, self._refused, self._error = engine, refused, error

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        if table_name == self._refused:
            raise self._error
        self._engine.insert(table_name, rows, token)


@pytest.mark.parametrize(
    "error", [StoreError("on purpose", permanent=True), TypeError("a mistake of ours")], ids=repr
)
def test_rows_that_the_engine_never_takes_are_set_aside_and_the_rest_goes_on(
    tmp_path: Path, engine: Engine, error: Exception
) -> None:
    journal, feed = opened(tmp_path / "journal"), FeedBuffer(1000)
    journal.append(body_of("a", lines=3))
    writer = writer_of(journal, PickyEngine(engine, "messages", error), feed)
    writer.start()
    assert writer.flush(30)
    assert writer.problem == ""
    assert writer._aside.row_count == 3
    writer.stop()
    journal.close()
    assert lines(engine, "(SELECT sum(count) FROM minute)") == 3
    (kept,) = writer._aside.folder.glob("*-messages.arrow")
    rows = pa.ipc.open_file(kept).read_all()
    engine.insert("messages", rows, kept.name.removesuffix("-messages.arrow"))
    assert lines(engine, "(SELECT count() FROM messages)") == 3, "they can be inserted later"


def test_a_body_that_cannot_be_read_is_set_aside_and_its_neighbours_are_inserted(
    tmp_path: Path, engine: Engine
) -> None:
    journal, feed = opened(tmp_path / "journal"), FeedBuffer(1000)
    journal.append(body_of("a", lines=3))
    path, offset = journal.files.append(Kind.BODY, 2, 5, b"x" * 60)
    journal._enqueue(Entry(2, 5, path, offset, 60, NOW))
    journal._next_seq = 3
    journal.append(body_of("b", lines=4))
    writer = writer_of(journal, engine, feed)
    writer.start()
    assert writer.flush(30)
    assert writer._aside.row_count == 5
    writer.stop()
    journal.close()
    assert lines(engine, "(SELECT count() FROM messages)") == 7
    (kept,) = writer._aside.folder.glob("*.body")
    with kept.open("rb") as stream:
        assert [frame.payload for frame in read_frames(stream)] == [b"x" * 60]


def test_an_engine_that_is_only_busy_never_costs_lines(tmp_path: Path) -> None:
    attempts, tries = Attempts(), iter(range(100))

    def step() -> None:
        if next(tries) == 2:
            attempts.stop()
        raise StoreError("busy", permanent=False)

    assert not attempts.until_done(step, pytest.fail)
    assert "busy" in attempts.problem


@pytest.mark.parametrize(
    ("sql", "is_lasting"),
    [
        ("INSERT INTO seen_minute SELECT toInt64('x'), 1, 1", True),
        ("SELECT 1 FROM no_such_table", False),
    ],
)
def test_the_engines_codes_tell_bad_rows_from_a_bad_state(
    engine: Engine, sql: str, is_lasting: bool
) -> None:
    with pytest.raises(StoreError) as caught:
        engine.command(sql)
    assert caught.value.permanent == is_lasting


def test_the_same_token_is_inserted_once_also_after_reopening(
    tmp_path: Path, engine: Engine
) -> None:
    rows = pa.table({"minute": [1], "lines": pa.array([5], pa.uint64()), "last_ns": [60]})
    engine.insert("seen_minute", rows, "token")
    engine.close()
    engine.open()
    engine.insert("seen_minute", rows, "token")
    engine.insert("seen_minute", rows, "another")
    assert lines(engine, "(SELECT sum(lines) FROM seen_minute)") == 10


def test_a_store_of_a_newer_version_is_refused(engine: Engine) -> None:
    engine.command("INSERT INTO schema_migrations SELECT 9999, 'later'")
    with pytest.raises(StoreError, match="newer streamgauge"):
        migrate(engine)


def test_migrating_twice_does_nothing(engine: Engine) -> None:
    assert migrate(engine) == 0


def test_what_is_read_back_while_retention_settles_reaches_hours(
    tmp_path: Path, engine: Engine
) -> None:
    """74 customers were missed in hours and days after 100 kills: both happen at a start."""
    journal, feed = opened(tmp_path / "journal"), FeedBuffer(1000)
    pausing = PausingEngine(engine)
    writer = writer_of(journal, pausing, feed)
    writer.start()
    journal.append(body_of("a", lines=70))
    assert writer.flush(30)
    writer.stop()
    journal.append(body_of("b", lines=5))
    (entry,) = journal.next_bodies(100, 10**6)
    journal.draw_border(Border(entry.seq, entry.seq, "begun"))
    journal.close()

    again = opened(tmp_path / "journal")
    writer = writer_of(again, pausing, feed)

    def settle() -> None:
        with writer.while_settled():
            pass

    settling = threading.Thread(target=settle)
    reading = threading.Thread(target=writer.replay_begun)
    settling.start()
    assert pausing.has_come.wait(30)
    reading.start()
    reading.join(1)  # it has to wait for the other
    pausing.may_go.set()
    settling.join(30)
    reading.join(30)
    writer.start()
    assert writer.settle(30)
    writer.stop()
    assert lines(engine, "(SELECT sum(count) FROM hour)") == 75
    assert lines(engine, "(SELECT sum(count) FROM day)") == 75
    again.close()
