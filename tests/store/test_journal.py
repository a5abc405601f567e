"""The journal alone: what comes back after a crash, and what it refuses."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.lines import DEFAULTS, table_of

from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.store import columns
from streamgauge.store.journal.journal import Border, Journal
from streamgauge.store.journal.records import Body, decode_body, encode_body
from streamgauge.store.journal.retrykeys import RetryKeys, digest

NOW = 1_764_000_000.0
NOTHING = (
    columns.QUEUE.empty_table(),
    columns.POINTS.empty_table(),
    columns.REJECTED.empty_table(),
)


def body_of(tenant: str, lines: int = 1, key: bytes = b"") -> Body:
    rows = [{"tenant": tenant, "time_ns": number} for number in range(lines)]
    messages = table_of(rows, columns.MESSAGES, DEFAULTS)
    return Body(messages, *NOTHING, received_at=NOW, retry_key=digest(key) if key else b"")


def opened(folder: Path, now: float = NOW, max_bytes: int = 2**30, held: int = 0) -> Journal:
    keys = RetryKeys(folder, max_in_memory=1000)
    journal = Journal(
        folder, max_bytes, held, fsync=False, keys=keys, first_seq=1, file_max_bytes=2**26
    )
    journal.open(now)
    return journal


def tenants(journal: Journal) -> list[str]:
    entries = journal.next_bodies(10**9, 10**12)
    return [journal.load(entry).messages.column("tenant")[0].as_py() for entry in entries]


def newest_file(folder: Path) -> Path:
    return max(folder.glob("*.journal"))


@settings(max_examples=40, deadline=None)
@given(data=st.data(), count=st.integers(1, 6))
def test_wherever_the_newest_file_is_torn_the_whole_bodies_before_it_come_back(
    data: st.DataObject, count: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        journal, ends = opened(folder), [0]
        for number in range(count):
            journal.append(body_of(f"t{number}", lines=number + 1))
            ends.append(journal.files.size_bytes)
        journal.close()
        cut = data.draw(st.integers(0, ends[-1]))
        os.truncate(newest_file(folder), cut)
        again = opened(folder)
        whole = sum(end <= cut for end in ends) - 1
        assert tenants(again) == [f"t{number}" for number in range(whole)]
        assert again.files.size_bytes == ends[whole], "the torn tail is cut off"
        again.append(body_of("next"))
        assert tenants(again)[-1] == "next"
        assert again.last_seq == whole + 1
        again.close()


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_costs_the_body_it_is_in_and_no_other(data: st.DataObject) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        journal, ends = opened(folder), [0]
        for number in range(3):
            journal.append(body_of(f"t{number}"))
            ends.append(journal.files.size_bytes)
        journal.close()
        at = data.draw(st.integers(0, ends[-1] - 1))
        content = bytearray(newest_file(folder).read_bytes())
        content[at] ^= 1 << data.draw(st.integers(0, 7))
        newest_file(folder).write_bytes(content)
        again = opened(folder)
        damaged = sum(end <= at for end in ends) - 1
        assert tenants(again) == [f"t{number}" for number in range(3) if number != damaged]
        assert bool(again.damage.found_bytes) == (damaged < 2), "the last one looks unfinished"
        assert bool(list(folder.glob("*.damaged"))) == (damaged < 2)
        again.close()


def test_few_long_lines_do_not_make_a_segment_that_memory_cannot_hold(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for name in "abc":
        journal.append(body_of(name))
    size = journal.next_bodies(10, 10**12)[0].length
    assert len(journal.next_bodies(10, 2 * size)) == 2
    assert len(journal.next_bodies(10, 2 * size - 1)) == 1
    assert len(journal.next_bodies(10, 1)) == 1, "one body always goes"
    journal.close()


def test_nothing_is_acknowledged_into_a_folder_that_was_removed(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    journal = opened(folder)
    journal.append(body_of("a"))
    assert journal.problem() == ""
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="was removed while streamgauge ran"):
        journal.append(body_of("b"))
    assert "restart streamgauge" in journal.problem()
    assert journal.pending() == (1, 1)
    journal.close()


def test_a_border_is_found_again_with_its_token_and_its_bodies(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for name in "abcd":
        journal.append(body_of(name))
    journal.draw_border(Border(1, 2, "token one"))
    journal.finish(2)
    journal.draw_border(Border(3, 3, "token two"))
    journal.close()
    again = opened(tmp_path)
    border = again.known_border()
    assert border == Border(3, 3, "token two")
    assert [entry.seq for entry in again.bodies_of(border)] == [3]
    assert tenants(again) == ["c", "d"]
    again.close()


@pytest.mark.parametrize("key", [b"", b"k"])
@pytest.mark.parametrize("is_collected", [False, True])
def test_whether_collectors_saw_it_comes_back(key: bytes, is_collected: bool) -> None:
    body = replace(body_of("t", key=key), is_collected=is_collected)
    again = decode_body(encode_body(body).to_pybytes())
    assert (again.is_collected, again.retry_key) == (is_collected, body.retry_key)


def spoil(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoilt", ["journal", "marks"])
@pytest.mark.parametrize("place", ["border", "done"])
def test_a_damaged_border_or_done_frame_changes_nothing(
    tmp_path: Path, spoilt: str, place: str
) -> None:
    """The border's token has to be the same, or what was inserted before the crash is doubled."""
    journal = opened(tmp_path)
    for name in "abc":
        journal.append(body_of(name))
    paths = {"journal": newest_file(tmp_path), "marks": tmp_path / "marks"}
    journal.draw_border(Border(1, 1, "token one"))
    first = paths[spoilt].stat().st_size
    journal.finish(1)
    done = paths[spoilt].stat().st_size
    journal.draw_border(Border(2, 2, "token two"))
    border = paths[spoilt].stat().st_size
    journal.append(body_of("d"))
    journal.close()
    spoil(paths[spoilt], {"done": first + 5, "border": done + 5}[place])
    assert border > done > first
    again = opened(tmp_path)
    assert again.done_seq == 1
    assert again.known_border() == Border(2, 2, "token two")
    assert tenants(again) == ["b", "c", "d"]
    if spoilt == "journal":
        assert "nothing is lost" in again.damage.notice()
    again.close()


def test_the_copy_of_the_borders_stays_small(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for number in range(1, 400):
        journal.append(body_of("x"))
        journal.draw_border(Border(number, number, f"token {number}"))
        journal.finish(number)
    journal.append(body_of("y"))
    journal.draw_border(Border(400, 400, "the last"))
    assert (tmp_path / "marks").stat().st_size < 20_000
    journal.close()
    again = opened(tmp_path)
    assert (again.done_seq, again.known_border()) == (399, Border(400, 400, "the last"))
    again.close()


def test_with_nothing_waiting_the_journal_gives_its_space_back(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    for name in "ab":
        journal.append(body_of(name, lines=20_000))
    journal.finish(1)
    assert journal.files.size_bytes > 1_000_000, "one still waits"
    journal.finish(2)
    assert journal.files.count == 1
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1000
    for is_closed in (False, True):
        if is_closed:
            journal.close()
            journal = opened(tmp_path)
        assert (journal.last_seq, journal.done_seq) == (2, 2)
    journal.append(body_of("c"))
    assert [entry.seq for entry in journal.next_bodies(10, 10**12)] == [3]
    journal.close()


def test_the_count_goes_on_also_when_the_newest_file_is_gone(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(body_of("a", lines=20_000))
    journal.finish(1)
    journal.close()
    newest_file(tmp_path).unlink()
    again = opened(tmp_path)
    assert again.last_seq == 1
    again.close()


def test_what_is_done_is_forgotten_and_counting_goes_on_over_a_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.files.file_max_bytes = 1
    for name in "abc":
        journal.append(body_of(name))
    assert journal.files.count == 3
    journal.finish(3)
    assert journal.files.count == 1
    assert journal.pending() == (0, 0)
    journal.close()
    again = opened(tmp_path)
    assert again.pending() == (0, 0)
    again.append(body_of("d"))
    assert [entry.seq for entry in again.next_bodies(10, 10**12)] == [4]
    again.close()


def test_bodies_beyond_the_memory_allowed_are_read_back_from_disk(tmp_path: Path) -> None:
    journal = opened(tmp_path, held=1)
    journal.append(body_of("on disk", lines=3))
    entry = journal.next_bodies(10, 10**12)[0]
    assert entry.body is None
    assert journal.load(entry).messages.num_rows == 3
    journal.close()


def test_a_full_budget_is_refused_until_the_engine_has_caught_up(tmp_path: Path) -> None:
    journal = opened(tmp_path, max_bytes=10_000)
    journal.files.file_max_bytes = 1
    assert journal.append(body_of("x", lines=10, key=b"first"))
    refused_key = b"second"
    with pytest.raises(Overloaded, match="send again later") as refused:
        journal.append(body_of("x", lines=10, key=refused_key))
    assert refused.value.retry_after_s > 0
    journal.finish(journal.last_seq)
    journal.append(body_of("fits again", lines=10, key=b"other"))
    assert journal.append(body_of("x", key=refused_key)), "what was refused is not a known retry"
    journal.close()


def test_a_key_is_known_again_though_its_log_was_lost_before_the_body_was_inserted(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    journal.append(body_of("a", key=b"k"))
    journal.close()
    for log in tmp_path.glob("keys-*.log"):
        log.unlink()
    again = opened(tmp_path)
    assert not again.append(body_of("a", key=b"k"))
    again.close()


def test_a_folder_that_is_a_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        opened(tmp_path / "file")


def test_damage_in_an_older_file_is_told_and_the_later_ones_are_read(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.files.file_max_bytes = 1
    for name in "abc":
        journal.append(body_of(name))
    journal.close()
    oldest = min(tmp_path.glob("*.journal"))
    oldest.write_bytes(b"x" + oldest.read_bytes()[1:])
    again = opened(tmp_path)
    assert again.damage.found_bytes > 0
    assert tenants(again) == ["b", "c"]
    assert "1 acknowledged batch is lost" in again.damage.notice()
    assert str(tmp_path) in again.damage.notice()
    again.finish(3)
    again.close()
    again = opened(tmp_path)
    assert "1 acknowledged batch is lost" in again.damage.notice(), "also after a restart"
    again.close()
    for path in tmp_path.glob("*.damaged"):
        path.unlink()
    assert again.damage.notice() == ""
