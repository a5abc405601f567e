"""Calls become sums: exactly, from any thread, whatever their arguments are."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from streamgauge.client.losses import Loss, Losses
from streamgauge.client.tally import (
    MAX_WAITING,
    RELIEVED_ABOVE,
    Event,
    Tally,
    bucket_of,
    middle_s,
)
from streamgauge.store.rollup import histogram

OK = ("acme", "web", "ga4", "", "delivered", "ok", "")


class Begun:
    """Counts how often the background was asked to begin."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def tally(max_series: int = 100, begin: Callable[[], None] = lambda: None) -> tuple[Tally, Losses]:
    losses = Losses()
    return Tally(losses, max_series, begin), losses


def test_messages_of_a_series_add_up_with_their_durations() -> None:
    counted, _ = tally()
    for latency_s in (0.1, 0.1, 0.2, None):
        counted.append((OK, latency_s, 0.01, 1, 10))
    counted.append((OK, 0.2, None, 5, 0))
    counted.append(((*OK[:5], "error", "timeout"), None, None, 2, 0))
    cells = counted.take()
    cell = cells[OK]
    assert (cell.count, cell.size_bytes) == (9, 40)
    assert cell.latencies == {bucket_of(0.1): 2, bucket_of(0.2): 6}
    assert cell.waits == {bucket_of(0.01): 4}
    assert [one.count for one in cells.values()] == [9, 2]
    assert counted.take() == {}, "counting starts anew"


class Strange:
    """An argument that fails whenever it is looked at."""

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __index__(self) -> int:
        raise RuntimeError("no index")


@pytest.mark.parametrize(
    ("event", "counted_messages", "loss", "lost"),
    [
        pytest.param((OK, 0.1, None, 1, 0), 1, None, 0, id="a plain one"),
        pytest.param((OK, None, None, 0, 0), 0, None, 0, id="none at all"),
        pytest.param((OK, None, None, True, 0), 1, None, 0, id="true is one"),
        pytest.param((OK, None, None, np.int64(3), 0), 3, None, 0, id="NumPy's numbers are whole"),
        pytest.param((OK, np.float64(0.1), 0, 1, 0), 1, None, 0, id="NumPy's and whole seconds"),
        pytest.param(((None, 7, *OK[2:]), None, None, 1, 0), 1, None, 0, id="a number as label"),
        pytest.param((OK, -0.5, None, 1, 0), 1, None, 0, id="a clock that went back"),
        pytest.param((OK, float("nan"), None, 1, 0), 1, Loss.BAD_CALLS, 1, id="NaN seconds"),
        pytest.param((OK, None, float("inf"), 1, 0), 1, Loss.BAD_CALLS, 1, id="endless wait"),
        pytest.param((OK, "0.1", None, 1, 0), 1, Loss.BAD_CALLS, 1, id="seconds as text"),
        pytest.param((OK, None, None, 1, -1), 1, Loss.BAD_CALLS, 1, id="bytes below nothing"),
        pytest.param((OK, None, None, -1, 0), 0, Loss.BAD_CALLS, 1, id="a negative count"),
        pytest.param((OK, None, None, 1.5, 0), 0, Loss.BAD_CALLS, 1, id="half a message"),
        pytest.param((OK, None, None, "2", 0), 0, Loss.BAD_CALLS, 1, id="a count as text"),
        pytest.param((OK, None, None, 10**12 + 1, 0), 0, Loss.BAD_CALLS, 1, id="too many"),
        pytest.param((OK, None, None, Strange(), 0), 0, Loss.BAD_CALLS, 1, id="a strange count"),
        pytest.param(((b"a", *OK[1:]), None, None, 1, 0), 0, Loss.BAD_CALLS, 1, id="a byte label"),
        pytest.param((([], *OK[1:]), None, None, 1, 0), 0, Loss.BAD_CALLS, 1, id="a list as label"),
        pytest.param(
            ((Strange(), *OK[1:]), None, None, 1, 0), 0, Loss.BAD_CALLS, 1, id="a strange label"
        ),
    ],
)
def test_bad_arguments_are_counted_and_cost_only_what_they_spoil(
    event: Any, counted_messages: int, loss: Loss | None, lost: int
) -> None:
    counted, losses = tally()
    counted.append(event)
    counted.append((("other", *OK[1:]), None, None, 1, 0))
    cells = counted.take()
    assert sum(cell.count for cell in cells.values()) == counted_messages + 1
    assert {kind: count for kind, count in losses.take().items() if count} == (
        {loss: lost} if loss else {}
    )


def test_series_beyond_the_limit_are_dropped_and_counted() -> None:
    counted, losses = tally(max_series=3)
    for number in range(5):
        counted.append(((f"tenant-{number}", *OK[1:]), None, None, 10, 0))
    counted.append((("tenant-0", *OK[1:]), None, None, 1, 0))
    assert [cell.count for cell in counted.take().values()] == [11, 10, 10]
    assert losses.take()[Loss.DROPPED_MESSAGES] == 20
    counted.append((("tenant-4", *OK[1:]), None, None, 1, 0))
    assert len(counted.take()) == 1, "the next interval has room again"


def test_threads_count_together_without_losing_one() -> None:
    counted, losses = tally()
    each, threads = 20_000, 4

    def work(number: int) -> None:
        for _ in range(each):
            counted.append(((f"tenant-{number % 2}", *OK[1:]), 0.1, None, 1, 0))
            if len(counted.events) > RELIEVED_ABOVE:
                counted.relieve()

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    total = 0
    while any(worker.is_alive() for worker in workers):
        total += sum(cell.count for cell in counted.take().values())
    total += sum(cell.count for cell in counted.take().values())
    assert total == each * threads
    assert not any(losses.take().values())


def test_calls_that_wait_are_bounded_while_nobody_can_sum_them_up() -> None:
    counted, losses = tally()
    event: Event = (OK, None, None, 2, 0)
    with counted._lock:  # as a thread holds it that gets no processor
        for _ in range(MAX_WAITING + 50):
            counted.append(event)
            if len(counted.events) > RELIEVED_ABOVE:
                counted.relieve()
        assert len(counted.events) == MAX_WAITING
    assert losses.take()[Loss.DROPPED_MESSAGES] == 100
    assert counted.take()[OK].count == 2 * MAX_WAITING


def test_a_signal_handler_may_count_in_the_middle_of_counting() -> None:
    counted, _ = tally()
    signalled = 0

    def handler(*_: object) -> None:
        nonlocal signalled
        signalled += 1
        counted.append((OK, None, None, 1, 0))
        counted.relieve()

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    own = 0
    try:
        while signalled < 20:
            counted.append((OK, None, None, 1, 0))
            counted.fold()
            own += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert counted.take()[OK].count == own + signalled


def test_the_background_begins_at_the_first_message_of_a_process() -> None:
    begun = Begun()
    counted, _ = tally(begin=begun)
    assert begun.count == 0
    for _ in range(3):
        counted.append((OK, None, None, 1, 0))
    assert begun.count == 1
    counted.forget()
    counted.append((OK, None, None, 1, 0))
    assert begun.count == 2
    assert counted.take()[OK].count == 1, "what was counted before a fork is the parent's"


@pytest.mark.parametrize(
    ("duration_s", "told_s"),
    [
        pytest.param(0.0, 0.0, id="nothing"),
        pytest.param(-1.0, 0.0, id="a clock that went back"),
        pytest.param(1e-9, 1e-9, id="a nanosecond"),
        pytest.param(0.1, 0.1, id="a tenth"),
        pytest.param(1.0, 1.0, id="the end of a bucket"),
        pytest.param(1.000001, 1.0, id="the beginning of the next one"),
        pytest.param(86_400.0, 86_400.0, id="a day"),
        pytest.param(5e-324, 2.0**-1000, id="the least number there is"),
        pytest.param(1.7e308, 2.0**1000, id="the greatest"),
    ],
)
def test_durations_lie_where_the_server_keeps_them(duration_s: float, told_s: float) -> None:
    bucket = bucket_of(duration_s)
    told = float(f"{middle_s(bucket):.6g}")
    assert told == pytest.approx(told_s, rel=0.0111)
    if 1e-300 < abs(duration_s) < 1e300:
        assert histogram.bucket_of(np.array([duration_s]))[0] == bucket
        assert histogram.bucket_of(np.array([told]))[0] == bucket
