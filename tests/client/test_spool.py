"""Batches on disk: in order, each sent by one process, within their bounds, whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamgauge.client.batch import LINE_PROTOCOL, Batch, Row, batches
from streamgauge.client.losses import Loss, Losses
from streamgauge.client.spool import ABANDONED_S, Spool
from streamgauge.client.waiting import InMemory, Waiting


def batch(name: str, size: int = 10) -> Batch:
    return Batch(name, "/write?db=d", LINE_PROTOCOL, 5, b"x" * size)


def spool(folder: Path, max_bytes: int = 100_000) -> tuple[Spool, Losses]:
    losses = Losses()
    return Spool(folder, max_bytes, losses), losses


def taken(waiting: Waiting) -> list[str]:
    """The keys of all that waits, sent."""
    keys = []
    for claim in waiting.claims():
        keys.append(claim.batch.key)
        claim.done()
    return keys


@pytest.fixture(params=["memory", "disk"])
def waiting(request: pytest.FixtureRequest, tmp_path: Path) -> Waiting:
    """Either place."""
    return InMemory(100_000, Losses()) if request.param == "memory" else spool(tmp_path)[0]


def test_batches_come_in_order_and_whole(waiting: Waiting) -> None:
    given = [batch(f"b-{number}", size=number) for number in range(12)]
    for one in given:
        waiting.put(one)
    seen = []
    for claim in waiting.claims():
        seen.append(claim.batch)
        claim.done()
    assert seen == given
    assert taken(waiting) == []


def test_what_is_not_taken_comes_again(waiting: Waiting) -> None:
    for name in "ab":
        waiting.put(batch(name))
    first = next(iter(waiting.claims()))
    first.release()
    assert taken(waiting) == ["a", "b"]


def test_a_place_in_memory_gives_the_oldest_up_and_counts_them() -> None:
    losses = Losses()
    memory = InMemory(100, losses)
    for name in "abc":
        memory.put(batch(name, size=50))
    memory.put(batch("large", size=1_000))
    assert taken(memory) == ["large"], "the newest stays, however large"
    assert losses.take()[Loss.LOST_MESSAGES] == 15


def test_a_batch_that_loses_its_place_while_it_is_sent_takes_no_other_with_it() -> None:
    memory = InMemory(100, Losses())
    memory.put(batch("a", size=60))
    sending = next(iter(memory.claims()))
    memory.put(batch("b", size=60))
    sending.done()
    assert taken(memory) == ["b"]


def test_a_full_spool_gives_the_oldest_up_but_never_what_is_being_sent(tmp_path: Path) -> None:
    one, losses = spool(tmp_path, max_bytes=1_000)
    one.put(batch("sending", size=300))
    claim = next(iter(one.claims()))
    for name in "abc":
        one.put(batch(name, size=300))
    assert losses.take()[Loss.LOST_MESSAGES] == 10
    claim.release()
    assert taken(one) == ["sending", "c"]


def test_two_that_share_a_folder_never_send_the_same_batch_at_once(tmp_path: Path) -> None:
    mine, _ = spool(tmp_path)
    others, _ = spool(tmp_path)
    for name in "abcd":
        mine.put(batch(name))
    sent = []
    for own, foreign in zip(mine.claims(), others.claims(), strict=False):
        sent += [own.batch.key, foreign.batch.key]
        own.done()
        foreign.done()
    assert sorted(sent + taken(mine)) == ["a", "b", "c", "d"]
    assert list(tmp_path.iterdir()) == []


def test_a_batch_sent_since_it_was_listed_is_not_sent_again(tmp_path: Path) -> None:
    mine, _ = spool(tmp_path)
    others, _ = spool(tmp_path)
    for name in "ab":
        mine.put(batch(name))
    listed = iter(mine.claims())
    next(listed).done()
    assert taken(others) == ["b"]
    assert list(listed) == []


HOLDER = """
import sys, time
from pathlib import Path
from streamgauge.client.losses import Losses
from streamgauge.client.spool import Spool
spool = Spool(Path(sys.argv[1]), 10**6, Losses())
claim = next(iter(spool.claims()))
print(claim.batch.key, flush=True)
time.sleep(600)
"""


def test_what_a_killed_process_held_is_sent_by_the_next(tmp_path: Path) -> None:
    mine, _ = spool(tmp_path)
    for name in "ab":
        mine.put(batch(name))
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "a\n"
        (free,) = list(mine.claims())
        assert free.batch.key == "b", "the other one's is passed over"
        free.release()
        holder.send_signal(signal.SIGKILL)
    assert taken(mine) == ["a", "b"]


def test_a_forked_child_lets_go_and_the_parent_keeps_its_claim(tmp_path: Path) -> None:
    mine, _ = spool(tmp_path)
    mine.put(batch("a"))
    claim = next(iter(mine.claims()))
    child = os.fork()
    if not child:
        mine.forget()
        others = Spool(tmp_path, 10**6, Losses())
        os._exit(len(list(others.claims())))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, "it is still the parent's"
    claim.release()
    assert taken(mine) == ["a"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(batch("x").encode()[:-3], id="cut short"),
        pytest.param(b"{}\nabc", id="without a key"),
        pytest.param(b"[1]\nabc", id="not an object"),
        pytest.param(b"\xff\xfe\x00\n", id="not text"),
        pytest.param(b'{"key": 1', id="half a head"),
    ],
)
def test_a_damaged_file_is_set_aside_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    one, _ = spool(tmp_path)
    (tmp_path / "00000000000000000001-x.batch").write_bytes(content)
    one.put(batch("a"))
    assert taken(one) == ["a"]
    assert [path.suffix for path in tmp_path.iterdir()] == [".broken"]
    with pytest.raises(ValueError, match=r"."):
        Batch.decode(content)


def test_a_disk_that_takes_nothing_costs_nothing(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("no folder")
    one, losses = spool(in_the_way)
    for name in "ab":
        one.put(batch(name))
    assert taken(one) == ["a", "b"]
    assert not any(losses.take().values())


def test_unfinished_files_go_when_they_are_old(tmp_path: Path) -> None:
    for name, age_s in (("new", 0.0), ("old", ABANDONED_S + 1)):
        path = tmp_path / f"{name}.unfinished"
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age_s, time.time() - age_s))
    one, _ = spool(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["new.unfinished"]
    assert taken(one) == []


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([], [], id="nothing"),
        pytest.param([10] * 5_000, [5_000], id="as many rows as one takes"),
        pytest.param([10] * 5_001, [5_000, 1], id="one more"),
        pytest.param([499_999, 499_999], [2], id="as many bytes as one takes"),
        pytest.param([500_000, 500_000], [1, 1], id="more"),
        pytest.param([5, 3_000_000, 5], [1, 1, 1], id="a row that is larger than any"),
    ],
)
def test_rows_are_cut_into_batches(sizes: list[int], expected: list[int]) -> None:
    rows = [Row("x" * size, 2) for size in sizes]
    made = list(batches(rows, "/write", LINE_PROTOCOL, "k"))
    assert [one.messages for one in made] == [2 * count for count in expected]
    assert [one.key for one in made] == [f"k-{number}" for number in range(len(expected))]
