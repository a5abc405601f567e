"""Retry keys: known for a day whatever their number, over restarts, kills and clocks set back."""

from __future__ import annotations

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.test_journal import body_of, opened

from streamgauge.store.journal.keyruns import (
    PAGE_KEYS,
    KeyRun,
    merged,
    run_path,
    sort_keys,
    write_run,
)
from streamgauge.store.journal.retrykeys import MAX_SEALED, REMEMBERED_S, SPAN_S, RetryKeys, digest
from streamgauge.testing.waiting import eventually

NOW = 1_764_000_000.0
HOUR_S = 3600.0


def loaded(folder: Path, now: float = NOW, max_in_memory: int = 100) -> RetryKeys:
    keys = RetryKeys(folder, max_in_memory)
    keys.load(now)
    return keys


def remember(keys: RetryKeys, name: str, at: float = NOW) -> None:
    keys.make_room(at)
    keys.add(digest(name.encode()))


def knows(keys: RetryKeys, name: str) -> bool:
    return digest(name.encode()) in keys


def is_tidy(keys: RetryKeys) -> bool:
    return not keys._sealed and not keys._to_merge()


def test_a_day_of_keys_far_beyond_memory_is_known_and_no_other_key(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    for number in range(24 * 60):
        for copy in range(5):
            remember(keys, f"{number}-{copy}", NOW + number * 60)
    assert all(knows(keys, f"{number}-{number % 5}") for number in range(24 * 60))
    assert not any(knows(keys, f"never-{number}") for number in range(2000))
    assert len(keys) == 24 * 60 * 5
    eventually(lambda: is_tidy(keys), within_s=30, what="sorted files")
    assert len(keys._newest.keys if keys._newest else ()) <= 100, "memory stays bounded"
    assert len(keys._runs) <= 6 + 15
    keys.close()
    again = loaded(tmp_path, NOW + REMEMBERED_S - 60)
    assert all(knows(again, f"{number}-{number % 5}") for number in range(24 * 60))
    again.close()


@pytest.mark.parametrize(
    ("age_s", "is_known"),
    [
        pytest.param(REMEMBERED_S, True, id="a day later it is known"),
        pytest.param(REMEMBERED_S + SPAN_S, False, id="a day and a span later it is forgotten"),
    ],
)
@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "restarted"])
@pytest.mark.parametrize("fill", [0, 250], ids=["in memory", "in a sorted file"])
def test_a_key_is_known_for_a_day_by_the_clock_given(
    tmp_path: Path, age_s: float, is_known: bool, is_restarted: bool, fill: int
) -> None:
    keys = loaded(tmp_path)
    remember(keys, "k")
    for number in range(fill):
        remember(keys, f"after-{number}")
    if is_restarted:
        keys.close()
        keys = loaded(tmp_path, NOW + age_s)
    else:
        keys.make_room(NOW + age_s)
    assert knows(keys, "k") is is_known
    keys.close()


def test_forgotten_keys_leave_no_files_behind(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    for number in range(1000):
        remember(keys, str(number))
    eventually(lambda: is_tidy(keys), within_s=30, what="sorted files")
    keys.make_room(NOW + REMEMBERED_S + SPAN_S)
    keys.close()
    assert len(list(tmp_path.iterdir())) == 1, "the new log only"


@pytest.mark.parametrize("back_s", [60.0, 5 * HOUR_S, 40 * HOUR_S, 1000 * HOUR_S], ids=str)
def test_a_clock_set_back_forgets_nothing_for_a_day_and_keeps_nothing_for_ever(
    tmp_path: Path, back_s: float
) -> None:
    keys = loaded(tmp_path)
    for number in range(150):
        remember(keys, f"before-{number}", NOW)
    earlier = NOW - back_s
    for number in range(150):
        remember(keys, f"after-{number}", earlier)
    for at in (earlier, earlier + REMEMBERED_S):
        keys.make_room(at)
        assert all(knows(keys, f"before-{number}") for number in range(150))
        assert all(knows(keys, f"after-{number}") for number in range(150))
    keys.close()
    again = loaded(tmp_path, earlier + REMEMBERED_S + 3 * SPAN_S)
    if back_s > SPAN_S:
        assert len(again) == 0
    again.close()


def test_senders_at_the_border_of_two_spans_do_not_make_many_files(tmp_path: Path) -> None:
    keys = loaded(tmp_path)
    border = (NOW // SPAN_S + 1) * SPAN_S
    for number in range(90):
        remember(keys, str(number), border + (0.5 if number % 2 else -0.5))
    assert all(knows(keys, str(number)) for number in range(90))
    eventually(lambda: is_tidy(keys), within_s=30, what="sorted files")
    assert len(list(tmp_path.iterdir())) <= 2
    keys.close()


def test_files_of_the_version_before_are_read(tmp_path: Path) -> None:
    hour = int(NOW // 3600)
    for ago in range(25):
        names = [digest(f"{ago}-{number}".encode()) for number in range(7)]
        torn = b"torn" if ago == 3 else b""
        (tmp_path / f"keys-{hour - ago:09d}.log").write_bytes(b"".join(names) + torn)
    keys = loaded(tmp_path)
    assert all(knows(keys, f"{ago}-{number}") for ago in range(25) for number in range(7))
    remember(keys, "new")
    eventually(lambda: is_tidy(keys), within_s=30, what="sorted files")
    keys.close()
    again = loaded(tmp_path)
    assert knows(again, "new")
    assert all(knows(again, f"{ago}-{number}") for ago in range(25) for number in range(7))
    again.close()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_process_that_dies_at_any_moment_forgets_nothing(data: st.DataObject) -> None:
    """A copy of the folder at some moment is what a kill would leave."""
    with TemporaryDirectory() as name:
        folder, left = Path(name) / "live", Path(name) / "left"
        folder.mkdir()
        keys, told = loaded(folder, max_in_memory=8), 0
        for _ in range(data.draw(st.integers(1, 6))):
            for _ in range(data.draw(st.integers(1, 30))):
                remember(keys, str(told), NOW + told * 300)
                told += 1
            with keys._lock:  # a kill takes one moment; copying takes longer
                _copy(folder, left)
            again = loaded(left, NOW + told * 300)
            day = REMEMBERED_S // 300
            missing = [n for n in range(told) if told - n <= day and not knows(again, str(n))]
            assert not missing
            again.close()
        keys.close()


def _copy(folder: Path, to: Path) -> None:
    to.mkdir(exist_ok=True)
    for path in to.iterdir():
        path.unlink()
    for path in [*folder.glob("*.log"), *folder.glob("*.sorted")]:
        (to / path.name).write_bytes(path.read_bytes())


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(1, 3 * PAGE_KEYS), min_size=1, max_size=4), seed=st.integers())
def test_merging_keeps_every_key(counts: list[int], seed: int) -> None:
    chance = random.Random(seed)
    with TemporaryDirectory() as name:
        folder, runs, told = Path(name), [], b""
        for number, count in enumerate(counts):
            content = chance.randbytes(16 * count)
            told += content
            path = run_path(folder, 1, number, count)
            runs.append(write_run(path, count, iter([sort_keys(content)])))
        total = sum(counts)
        path = run_path(folder, 1, 99, total)
        made = write_run(path, total, merged(runs, lambda: False, part_keys=700))
        for run in (made, KeyRun(path)):
            halves = [told[at : at + 8] for at in range(0, len(told), 8)]
            numbers = [int.from_bytes(half, "little") for half in halves]
            for first, second in zip(numbers[::2], numbers[1::2], strict=True):
                assert run.has(first, second)
                assert not run.has(first, second ^ 1)
                assert not run.has(first ^ 1, second)


def test_equal_first_halves_are_told_apart(tmp_path: Path) -> None:
    content = b"".join(bytes(8) + number.to_bytes(8, "little") for number in range(9))
    run = write_run(run_path(tmp_path, 1, 1, 9), 9, iter([sort_keys(content)]))
    assert all(run.has(0, number) for number in range(9))
    assert not run.has(0, 9)


def test_a_sorted_file_that_is_not_whole_is_left_out_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run_path(tmp_path, int(NOW // 3600), 1, 9)
    write_run(path, 9, iter([sort_keys(os.urandom(16 * 9))]))
    os.truncate(path, 100)
    keys = loaded(tmp_path)
    assert len(keys) == 0
    assert "damaged" in capsys.readouterr().out
    keys.close()


def test_sorting_that_falls_behind_never_grows_memory(tmp_path: Path) -> None:
    keys = loaded(tmp_path, max_in_memory=10)
    keys._must_stop = lambda: True  # type: ignore[method-assign]  # the thread behind does nothing
    for number in range(500):
        remember(keys, str(number))
        assert len(keys._sealed) <= MAX_SEALED
    assert all(knows(keys, str(number)) for number in range(500))
    keys.close()


def test_a_retry_is_known_by_the_journal_over_a_restart(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    assert journal.append(body_of("a", key=b"k"))
    assert not journal.append(body_of("a", key=b"k"))
    assert journal.append(body_of("a")), "without a key nothing is a retry"
    journal.finish(2)
    journal.close()
    again = opened(tmp_path, NOW + REMEMBERED_S)
    assert not again.append(body_of("a", key=b"k"))
    again.close()
