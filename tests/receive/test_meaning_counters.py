"""Counters: what they rise by, over resets, late samples, restarts of either side, and crashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.counters import STANDING, Counters
from streamgauge.receive.meaning.log import MIN_LOG_BYTES, CounterLog, Moved
from streamgauge.receive.meaning.metering import MeaningSettings, Metering
from streamgauge.receive.measured import Form, Measured, Numbers, Series
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000
S = 1_000_000_000
Sample = tuple[int, float] | tuple[int, float, int]
"""Seconds after NOW - 1000, what the counter stands at, and when it began (0: not told)."""
T0 = NOW - 1000

MESSAGES = Series("messages_total", (("tenant", "acme"),), Form.CUMULATIVE)
OTHER = Series("messages_total", (("tenant", "beta"),), Form.CUMULATIVE)


def body_of(samples: Sequence[Sample], series: Series = MESSAGES) -> Measured:
    rows = [(*one, 0)[:3] for one in samples]
    return Measured(
        Numbers(
            [series],
            np.zeros(len(rows), np.int32),
            np.array([(T0 + t) * S for t, _, _ in rows], np.int64),
            np.array([(T0 + s) * S if s else 0 for _, _, s in rows], np.int64),
            np.array([v for _, v, _ in rows], np.float64),
        )
    )


@dataclass
class Watched:
    """A metering that can be killed and started again over one sink and one folder."""

    folder: Path | None = None
    sink: MemorySink = field(default_factory=MemorySink)
    clock: SimulatedClock = field(default_factory=lambda: SimulatedClock(float(NOW)))

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        intake = workshop_of(self.sink, self.clock).intake
        self.metering = Metering(intake, MeaningSettings(self.folder))
        self.metering.open()

    def kill(self) -> None:
        """What is not on disk is gone; the descriptor is closed as the system would."""
        self.metering.close()
        self.start()

    def send(self, name: str, samples: Sequence[Sample], series: Series = MESSAGES) -> bool:
        origin = Origin("/any", idempotency_key=name)
        return self.metering.take(origin, b"", body_of(samples, series), db="p").is_new


HISTORIES: list[tuple[str, list[list[Sample]], int]] = [
    ("the first sample is a baseline, whatever it stands at", [[(10, 1000)]], 0),
    ("what came since counts", [[(10, 1000)], [(20, 1007)]], 7),
    ("also within one body", [[(10, 1000), (20, 1003), (30, 1003), (40, 1010)]], 10),
    ("a lower value has begun at 0", [[(10, 1000)], [(20, 4)], [(30, 9)]], 9),
    ("a repeated sample adds nothing", [[(10, 5)], [(20, 8)], [(20, 8)]], 3),
    ("a late sample between two adds nothing", [[(10, 5)], [(30, 9)], [(20, 7)]], 4),
    ("one that shows a hidden reset adds what it explains", [[(10, 5)], [(30, 9)], [(20, 8)]], 4),
    ("as one above both does", [[(10, 5)], [(30, 9)], [(20, 50)]], 45 + 9),
    ("as one below both does", [[(10, 5)], [(30, 9)], [(20, 2)]], 9),
    ("one older than all that is remembered adds nothing", [[(20, 5), (30, 6)], [(10, 1)]], 1),
    ("an older baseline gives what lay between", [[(20, 5)], [(10, 1)]], 4),
    ("a body in no order", [[(40, 9), (10, 1), (30, 6), (20, 4)]], 8),
    ("a start just before counts in full", [[(310, 40, 10)]], 40),
    ("a start 301 s before the first sample is a baseline", [[(311, 40, 10)]], 0),
    ("and goes on", [[(311, 40, 10)], [(320, 45, 10)]], 5),
    ("a newer start begins at 0, also above the old value", [[(20, 5, 10)], [(60, 9, 50)]], 14),
    (
        "a late sample of the former start still counts",
        [[(20, 5, 10), (60, 9, 50), (30, 7, 10)]],
        16,
    ),
    (
        "two senders of one name take turns",
        [[(20, 5, 9), (21, 50, 8), (30, 6, 9), (31, 51, 8)]],
        57,
    ),
    ("a start at the sample itself is not known", [[(20, 5, 20)], [(30, 8, 20)]], 8),
    (
        "what is no count says nothing",
        [[(10, 5)], [(20, -1)], [(30, np.nan)], [(40, np.inf), (50, 6)]],
        1,
    ),
    (
        "fractions count when they are whole",
        [[(10, 0.0)], [(20, 0.6)], [(30, 1.2)], [(40, 2.4)]],
        2,
    ),
]


@pytest.mark.parametrize(
    ("bodies", "total"), [case[1:] for case in HISTORIES], ids=[c[0] for c in HISTORIES]
)
@pytest.mark.parametrize("is_killed", [False, True], ids=["", "killed after each body"])
def test_what_a_counter_rises_by(
    bodies: list[list[Sample]], total: int, is_killed: bool, tmp_path: Path
) -> None:
    watched = Watched(tmp_path)
    for number, samples in enumerate(bodies):
        watched.send(str(number), samples)
        if is_killed:
            watched.kill()
    assert watched.sink.message_count == total


def test_it_is_told_at_the_time_of_the_sample_that_shows_it() -> None:
    watched = Watched()
    watched.send("1", [(10, 1), (20, 3)])
    watched.send("2", [(30, 7), (40, 7)])
    rows = [row for body in watched.sink.bodies for row in body.batch.messages.to_pylist()]
    assert [(row["time_ns"] // S - T0, row["count"]) for row in rows] == [(20, 2), (30, 4)]
    assert {(row["tenant"], row["stage"], row["outcome"]) for row in rows} == {
        ("acme", "delivered", "ok")
    }


def test_a_retried_body_moves_nothing_on() -> None:
    watched = Watched()
    watched.send("1", [(10, 1)])
    assert watched.send("2", [(20, 3)])
    assert not watched.send("2", [(20, 3)])
    watched.send("3", [(30, 4)])
    assert watched.sink.message_count == 3


@pytest.mark.parametrize("is_killed", [False, True], ids=["", "killed then"])
def test_what_could_not_be_kept_leaves_counters_where_they_stood(
    is_killed: bool, tmp_path: Path
) -> None:
    watched = Watched(tmp_path)
    watched.send("1", [(10, 1)])
    watched.sink.failure = StoreError("the disk is full", permanent=False)
    with pytest.raises(StoreError):
        watched.send("2", [(20, 5)])
    watched.sink.failure = None
    if is_killed:
        watched.kill()
    watched.send("2", [(20, 5)])
    assert watched.sink.message_count == 4


def test_a_crash_between_log_and_journal_counts_nothing_twice(tmp_path: Path) -> None:
    """The record is on disk, its body is not: it must not count when it is read back."""

    class Crash(BaseException):
        pass

    watched = Watched(tmp_path)
    watched.send("1", [(10, 1)])
    copied = {}
    intake = watched.metering.intake

    def crash(parsed: object, key: bytes | None, at: float) -> bool:
        copied.update({path.name: path.read_bytes() for path in tmp_path.iterdir()})
        raise Crash

    write, watched.sink.write = watched.sink.write, crash  # type: ignore[method-assign]
    with pytest.raises(Crash):
        watched.send("2", [(20, 5)])
    watched.sink.write = write  # type: ignore[method-assign]
    del intake
    watched.metering.close()
    for name, content in copied.items():
        (tmp_path / name).write_bytes(content)
    watched.start()
    assert watched.send("2", [(20, 5)])
    assert watched.sink.message_count == 4


def test_what_was_kept_long_ago_counts_though_the_journal_has_forgotten_its_key(
    tmp_path: Path,
) -> None:
    watched = Watched(tmp_path)
    watched.send("1", [(10, 1)])
    watched.send("2", [(20, 5)])
    copied = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    watched.metering.close()
    for path in tmp_path.iterdir():
        path.unlink()
    for name, content in copied.items():
        (tmp_path / name).write_bytes(content)
    watched.sink.keys.clear()
    watched.start()
    watched.send("3", [(30, 6)])
    assert watched.sink.message_count == 5


def test_a_long_log_begins_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    log = CounterLog(tmp_path, fsync=True)
    assert list(log.read_back(lambda _: False)) == []
    log.begin_anew(Moved())
    standings = np.zeros(MIN_LOG_BYTES // 40 + 1, STANDING)
    standings["series"] = np.arange(len(standings))
    log.append(b"k" * 16, Moved(standings))
    log.keep()
    assert log.is_long
    log.begin_anew(Moved(standings[:3]))
    assert not log.is_long
    log.append(b"a" * 16, Moved(standings[:1]))
    log.take_back()
    log.append(b"b" * 16, Moved(standings[1:2]))
    log.close()
    again = CounterLog(tmp_path, fsync=True)
    found = [
        moved.standings["series"].tolist() for moved in again.read_back(lambda key: key[:1] == b"b")
    ]
    assert found == [[0, 1, 2], [1]]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".log", ".snapshot"]


def test_a_torn_record_is_passed_over(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.send("1", [(10, 1)])
    watched.send("2", [(20, 5)])
    (log,) = tmp_path.glob("*.log")
    content = log.read_bytes()
    watched.metering.close()
    for path in tmp_path.iterdir():
        path.unlink()
    log.write_bytes(content[:-30])
    watched.start()
    watched.send("3", [(30, 6)])
    assert watched.sink.message_count == 4 + 5, "the mark and part of the record are gone"


def test_nothing_is_taken_before_the_log_is_read_back(tmp_path: Path) -> None:
    intake = workshop_of(MemorySink(), SimulatedClock(NOW)).intake
    metering = Metering(intake, MeaningSettings(tmp_path))
    with pytest.raises(StoreError, match="not read back yet"):
        metering.take(Origin("/any"), b"", body_of([(10, 1)]), db="p")


def test_a_body_of_which_no_counter_rose_is_heard_all_the_same() -> None:
    watched = Watched()
    watched.send("1", [(10, 1)])
    watched.send("2", [(20, 1)])
    points = [body.batch.points.to_pylist() for body in watched.sink.bodies]
    assert [(p["measurement"], p["value"]) for (p,) in points] == [("messages_total", 1)] * 2


def test_forgotten_counters_are_baselines_again_and_the_others_go_on() -> None:
    counters = Counters(max_series=8)
    now = np.ones(1)

    def tell(name: int, time: int, value: float) -> float:
        counters.make_room()
        slots = counters.slots_of(np.array([name], np.uint64))
        rise = counters.rises(slots, np.array([time]), now * value)
        counters.put(rise.slots, rise.standings)
        return float(rise.by[0])

    for name in range(8):
        tell(name, 1, 10)
    assert tell(0, 2, 11) == 1
    epoch = counters.epoch
    for name in range(100, 102):
        tell(name, 3, 10)
    assert counters.epoch > epoch
    assert len(counters) < 8
    assert [tell(0, 4, 15), tell(101, 4, 11), tell(1, 4, 15)] == [4, 1, 0]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Sample], int]:
    """A counter with resets, and what it rose by altogether."""
    value, total, samples = draw(st.integers(0, 100)), 0, []
    for at in range(1, draw(st.integers(2, 12)) * 2):
        if samples:
            step = draw(st.integers(0, 5))
            value = step if draw(st.integers(0, 5)) == 0 else value + step
            before = samples[-1][1]
            total += int(value - before if value >= before else value)
        samples.append((at * 10, float(value)))
    return samples, total


@given(history=histories(), data=st.data())
@settings(max_examples=20, deadline=None)
def test_any_order_of_neighbours_any_batches_and_any_kills_give_the_same_sum(
    history: tuple[list[Sample], int], data: st.DataObject
) -> None:
    samples, total = history
    order = list(samples)
    for at in range(0, len(order) - 1, 2):
        if data.draw(st.booleans()):
            order[at], order[at + 1] = order[at + 1], order[at]
    with TemporaryDirectory() as folder:
        watched, number = Watched(Path(folder)), 0
        while order:
            size = data.draw(st.integers(1, 4))
            batch, order = order[:size], order[size:]
            number += 1
            if data.draw(st.integers(0, 3)) == 0:
                watched.sink.failure = StoreError("full", permanent=False)
                with pytest.raises(StoreError):
                    watched.send(str(number), batch)
                watched.sink.failure = None
            watched.send(str(number), batch)
            if data.draw(st.booleans()):
                watched.send(str(number), batch)
            if data.draw(st.booleans()):
                watched.kill()
        watched.metering.close()
    assert watched.sink.message_count == total


def test_threads_share_it_while_new_series_come(tmp_path: Path) -> None:
    """Each thread has series of its own, more of them with every body, and rises each by one."""
    watched = Watched(tmp_path)
    thread_count, turns, new_a_turn = 4, 15, 60

    def run(number: int) -> None:
        series: list[Series] = []
        for turn in range(turns):
            series += [
                Series("messages_total", (("tenant", f"{number}-{turn}-{one}"),), Form.CUMULATIVE)
                for one in range(new_a_turn)
            ]
            size = len(series)
            numbers = Numbers(
                list(series),
                np.arange(size, dtype=np.int32),
                np.full(size, (T0 + turn) * S),
                np.zeros(size, np.int64),
                np.full(size, 100.0 + turn),
            )
            origin = Origin("/any", idempotency_key=f"{number}-{turn}")
            watched.metering.take(origin, b"", Measured(numbers), db="p")

    threads = [Thread(target=run, args=(number,)) for number in range(thread_count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rises = sum(turns - 1 - turn for turn in range(turns)) * new_a_turn
    assert watched.sink.message_count == thread_count * rises
