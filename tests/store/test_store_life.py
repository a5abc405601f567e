"""Opening, closing and opening again; folders that cannot be used; disks that are full."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.store.conftest import SETTINGS
from tests.store.lines import NOW, body
from tests.store.test_journal import body_of, opened, tenants

from streamgauge.model.batch import RejectedLine
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.model.views import Filters
from streamgauge.store import Store, StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.lock import FolderLock

ROOT = Path(__file__).parents[2]
ALL = Filters()
LINE = {"at": NOW, "tenant": "acme"}


@contextmanager
def running(
    folder: Path, settings: StoreSettings = SETTINGS, clock: SimulatedClock | None = None
) -> Iterator[Store]:
    store = Store(f"chdb://{folder}/engine", folder, clock or SimulatedClock(NOW), settings)
    store.open()
    try:
        yield store
    finally:
        store.close()


@pytest.mark.chdb
def test_what_was_acknowledged_is_there_after_closing_and_opening(folder: Path) -> None:
    with running(folder) as store:
        assert store.write(body([LINE]), b"key", NOW)
    with running(folder) as store:
        assert store.problems() == []
        assert store.overview(NOW, NOW + 60, ALL).messages == 1
        assert not store.write(body([LINE]), b"key", NOW), "the retry is known over a restart"
        assert store.write(body([LINE]), b"other key", NOW)
        assert store.write(body([LINE]), None, NOW)
        assert store.write(body([LINE]), None, NOW)
        assert store.flush(30)
        assert store.overview(NOW, NOW + 60, ALL).messages == 4


@pytest.mark.chdb
def test_a_queue_line_after_a_lost_journal_still_wins(folder: Path) -> None:
    told = {"at": NOW, "queue": "q"}
    with running(folder) as store:
        for backlog in (1.0, 2.0, 3.0):
            store.write(body(queue=[{**told, "backlog": backlog}]), None, NOW)
    for path in (folder / "journal").iterdir():
        path.unlink()
    with running(folder) as store:
        store.write(body(queue=[{**told, "backlog": 9.0}]), None, NOW)
        assert store.flush(30)
        assert store.overview(NOW, NOW + 60, ALL).queue.backlog == 9.0


@pytest.mark.chdb
def test_fsync_reaches_the_engine_and_can_be_taken_back(folder: Path) -> None:
    count = (
        "SELECT count() AS n FROM system.tables WHERE name = 'minute' "
        "AND position(engine_full, 'fsync_after_insert = 1') > 0"
    )
    for fsync in (False, True, False):
        with running(folder, StoreSettings(fsync=fsync)) as store:
            assert store.write(body([LINE]), None, NOW)
            assert store.flush(30)
            assert store._engine.query(count).to_pylist() == [{"n": int(fsync)}]
    with running(folder) as store:
        assert store.overview(NOW, NOW + 60, ALL).messages == 3


@pytest.mark.chdb
def test_a_question_that_takes_too_long_is_given_up(folder: Path) -> None:
    engine = Engine(f"chdb://{folder}/engine", StoreSettings(query_timeout_s=1))
    engine.open()
    try:
        with pytest.raises(StoreError, match="TIMEOUT"):
            engine.query("SELECT sum(sipHash64(number)) AS n FROM numbers(1000000000000)")
        # What a failed query had answered so far must not stand in front of the next answer.
        with pytest.raises(StoreError, match="refused"):
            engine.query("SELECT throwIf(1) AS n")
        assert engine.query("SELECT 'still here' AS n").to_pylist() == [{"n": "still here"}]
    finally:
        engine.close()


@pytest.mark.chdb
def test_refused_lines_are_kept_with_their_reason(folder: Path) -> None:
    refused = RejectedLine(3, "messages count=x", "count is no number", "acme")
    with running(folder) as store:
        store.write(body(rejected=[refused]), None, NOW)
        assert store.flush(30)
        (row,) = store._engine.query("SELECT * FROM rejected").to_pylist()
    told = (row["tenant"], row["line_number"], row["line"], row["reason"], row["time_ns"])
    assert told == ("acme", 3, "messages count=x", "count is no number", int(NOW) * 10**9)


@pytest.mark.chdb
def test_the_last_line_of_a_point_is_kept(folder: Path) -> None:
    point = {"at": NOW, "measurement": "cpu", "field": "busy"}
    with running(folder) as store:
        store.write(body(points=[{**point, "value": 1.0}, {**point, "value": 2.0}]), None, NOW)
        store.write(body(points=[{**point, "value": 3.0}]), None, NOW)
        assert store.flush(30)
        rows = store._engine.query("SELECT value FROM points FINAL").to_pylist()
    assert rows == [{"value": 3.0}]


@pytest.mark.chdb
def test_lag_and_stats_tell_what_waits(folder: Path) -> None:
    clock = SimulatedClock(NOW)
    with running(folder, StoreSettings(segment_max_wait_s=3600), clock) as store:
        store.write(body([LINE, LINE]), None, NOW)
        clock.advance(7)
        lag, stats = store.lag(), store.stats()
        assert (lag.lines, lag.seconds) == (2, 7)
        assert (stats["waiting_lines"], stats["waiting_bodies"]) == (2, 1)
        assert store.flush(30)
        lag, stats = store.lag(), store.stats()
        assert (lag.lines, lag.seconds) == (0, 0)
        assert (stats["waiting_lines"], stats["inserted_lines_total"]) == (0, 2)


@pytest.mark.chdb
def test_old_parts_are_dropped_by_the_clock_it_is_given(folder: Path) -> None:
    clock = SimulatedClock(NOW)
    with running(folder, clock=clock) as store:
        store.write(body([LINE, {**LINE, "at": 5.0}]), None, NOW)
        assert store.flush(30)
        store.retain()
        raw = "SELECT count() AS n FROM messages"
        assert store._engine.query(raw).to_pylist() == [{"n": 1}], "1970 is older than a week"
        clock.advance(15 * 86_400)
        store.retain()
        assert store._engine.query(raw).to_pylist() == [{"n": 0}]
        assert store.overview(NOW, NOW + 60, ALL).messages == 1, "the rollup is kept for longer"
        clock.advance(150 * 86_400)
        store.retain()
        assert store.overview(NOW, NOW + 3600, ALL).messages == 1, "hours are kept for longer"
        clock.advance(300 * 86_400)
        store.retain()
        assert store.overview(NOW, NOW + 3600, ALL).messages is None, "days cannot be cut"
        assert store.overview(NOW - 86_400, NOW + 86_400, ALL).messages == 1, "days stay"
        assert len(store.flows(NOW, NOW + 60, ["tenant"], "name", 9, ALL)) == 1, "never forgotten"


@pytest.mark.chdb
def test_a_closed_store_says_so(folder: Path) -> None:
    with running(folder) as store:
        assert store.problems() == []
    assert store.problems() == ["the store is not open"]
    with pytest.raises(StoreError, match="closed"):
        store.overview(NOW, NOW + 60, ALL)
    with pytest.raises(StoreError, match="not open"):
        store.write(body([LINE]), None, NOW)


def test_a_second_process_is_refused_and_told_who_has_the_folder(folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from streamgauge.store.lock import FolderLock; "
        "FolderLock(Path(sys.argv[1])).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        store = Store(f"chdb://{folder}/engine", folder, SimulatedClock(NOW), SETTINGS)
        with pytest.raises(ConfigError, match=rf"in use .*process {holder.pid}.*--data"):
            store.open()
        holder.kill()
    lock = FolderLock(folder)
    lock.acquire()
    lock.release()


@pytest.fixture
def plain_user() -> Iterator[None]:
    """Root may write everywhere: be someone else."""
    if os.geteuid() == 0:
        os.seteuid(65_534)
        yield
        os.seteuid(0)
    else:
        yield


def test_an_unwritable_folder_says_what_to_do(tmp_path: Path, plain_user: None) -> None:
    store = Store(f"chdb://{tmp_path}/engine", Path("/usr/lib/data"), SimulatedClock(NOW), SETTINGS)
    with pytest.raises(StoreError, match=r"/usr/lib/data cannot be written.*--data"):
        store.open()


def test_a_full_disk_refuses_a_body_whole_and_takes_the_next_one_when_there_is_room(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    journal.append(body_of("kept"))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (journal.files.size_bytes + 1000, hard))
    try:
        with pytest.raises(StoreError, match=r"is full: free some space.*--data"):
            journal.append(body_of("refused", lines=100, key=b"k"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert journal.append(body_of("again", lines=100, key=b"k")), "it is not taken for a retry"
    journal.close()
    again = opened(tmp_path)
    assert tenants(again) == ["kept", "again"]
    again.close()


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.chdb
def test_a_full_disk_is_a_problem_until_there_is_room_and_loses_nothing(small_disk: Path) -> None:
    filler = small_disk / "filler"
    lines = [{**LINE, "latency_s": 0.1}] * 500
    with running(small_disk) as store:
        assert store.write(body(lines), None, NOW)
        assert store.flush(30)
        free = os.statvfs(small_disk)
        filler.write_bytes(bytes(free.f_bavail * free.f_bsize))
        with pytest.raises(StoreError, match=r"is full"):
            store.write(body(lines), None, NOW)
        assert any("full" in problem for problem in store.problems())
        filler.unlink()
        assert store.problems() == []
        assert store.write(body(lines), None, NOW)
        assert store.flush(30)
        assert store.problems() == []
        assert store.overview(NOW, NOW + 60, ALL).messages == 1000
