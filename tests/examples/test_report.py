"""What the router counts, how it says it, and that a report arrives once or is counted as lost."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping

import numpy as np
import pytest
from examples.router.ledger import NO_BUCKET, Ledger, bucket
from examples.router.lines import Identity, message_lines, tags
from examples.router.outbox import Outbox, Report
from examples.router.queues import Depth
from examples.router.reporter import Reporter
from hypothesis import given
from hypothesis import strategies as st
from tests.examples.virtual import START_AT, Receiver, VirtualClock, parse

IDENTITY = Identity("router-7", "1.2.3")

latencies = st.lists(st.floats(0.0001, 500), min_size=1, max_size=300)


def filled(values: list[float]) -> Ledger:
    ledger = Ledger()
    for value in values:
        ledger.count(
            tenant="acme",
            source="web",
            integration="ga4",
            stage="delivered",
            outcome="ok",
            size_bytes=10,
            latency_s=value,
            wait_s=value / 10,
        )
    return ledger


@given(latencies)
def test_summing_keeps_counts_bytes_and_the_mean(values: list[float]) -> None:
    sums = filled(values).take()
    lines = parse("\n".join(message_lines(sums, IDENTITY, 7)))
    counts = np.array([line.fields["count"] for line in lines])
    assert counts.sum() == len(values)
    assert sum(line.fields["bytes"] for line in lines) == 10 * len(values)
    mean_ms = sum(line.fields["count"] * line.fields["latency_ms"] for line in lines) / len(values)
    assert mean_ms == pytest.approx(1000 * sum(values) / len(values), rel=0.01, abs=0.001)


@given(latencies, st.sampled_from([0.5, 0.9, 0.99]))
def test_summing_keeps_percentiles_to_a_tenth(values: list[float], rank: float) -> None:
    lines = parse("\n".join(message_lines(filled(values).take(), IDENTITY, 7)))
    told = np.repeat(
        [line.fields["latency_ms"] for line in lines],
        [int(line.fields["count"]) for line in lines],
    )
    expected = np.quantile(np.array(values) * 1000, rank, method="inverted_cdf")
    seen = np.quantile(told, rank, method="inverted_cdf")
    assert seen == pytest.approx(expected, rel=2 ** (1 / 8) - 1 + 0.001, abs=0.001)


def test_every_line_has_a_time_stamp_of_its_own_and_taking_starts_anew() -> None:
    ledger = filled([0.001 * 2**i for i in range(12)])
    lines = parse("\n".join(message_lines(ledger.take(), IDENTITY, 100)))
    assert [line.time_ns for line in lines] == list(range(100, 112))
    assert ledger.take() == {}


@pytest.mark.parametrize(
    ("duration_s", "expected"),
    [
        pytest.param(None, NO_BUCKET, id="no duration has no bucket"),
        pytest.param(1.0, 0, id="a second begins bucket 0"),
        pytest.param(math.nextafter(2.0, 0), 7, id="just under two seconds ends bucket 7"),
        pytest.param(2.0, 8, id="two seconds begin the next doubling"),
        pytest.param(0.0, bucket(1e-6, 8), id="zero lies in the smallest bucket"),
    ],
)
def test_buckets(duration_s: float | None, expected: int) -> None:
    assert bucket(duration_s, 8) == expected


def test_tags_are_escaped_and_empty_ones_left_out() -> None:
    assert tags(tenant="a, b=c", source="") == r",tenant=a\,\ b\=c"


async def _no_depths() -> Mapping[str, Depth]:
    return {}


def test_reports_come_at_whole_intervals_stamped_within_what_they_sum_up() -> None:
    async def run() -> list[int]:
        clock, receiver, ledger = VirtualClock(START_AT + 1.3), Receiver(), Ledger()
        outbox = Outbox(receiver.client(), "http://s/write", clock)
        reporter = Reporter(ledger, _no_depths, outbox, clock, IDENTITY, 5.0)
        tasks = [asyncio.create_task(reporter.run()), asyncio.create_task(outbox.run())]
        for _ in range(3):
            ledger.count(tenant="acme", source="web", stage="received", outcome="ok")
            await clock.advance(5)
        for task in tasks:
            task.cancel()
        return [one.time_ns for one in receiver.lines if one.measurement == "messages"]

    ends = [START_AT + 5, START_AT + 10, START_AT + 15]
    assert asyncio.run(run()) == [round(end * 1e9) - 1_000_000 for end in ends]


def test_a_refused_report_is_sent_again_byte_for_byte_and_in_order() -> None:
    async def run() -> tuple[Receiver, Outbox]:
        clock, receiver = VirtualClock(), Receiver(status=503)
        outbox = Outbox(receiver.client(), "http://s/write", clock)
        task = asyncio.create_task(outbox.run())
        outbox.add(Report(b"a", 1))
        await clock.advance(2)
        receiver.status = 0  # connection refused
        outbox.add(Report(b"b", 1))
        await clock.advance(20)
        receiver.status = 204
        await clock.advance(20)
        task.cancel()
        return receiver, outbox

    receiver, outbox = asyncio.run(run())
    assert receiver.taken == [b"a", b"b"]
    assert len(receiver.attempts) > 4
    assert set(receiver.attempts[:-1]) == {b"a"}
    assert (outbox.lost_lines_total, outbox.sent_lines_total) == (0, 2)


@pytest.mark.parametrize(
    ("status", "reports", "lost", "waiting"),
    [
        pytest.param(503, 3, 0, 3, id="as many as there is room for wait"),
        pytest.param(503, 5, 20, 3, id="the oldest are pushed out and counted"),
        pytest.param(400, 2, 20, 0, id="what is refused for good is counted, not repeated"),
    ],
)
def test_losses_are_counted(status: int, reports: int, lost: int, waiting: int) -> None:
    async def run() -> Outbox:
        clock, receiver = VirtualClock(), Receiver(status=status)
        outbox = Outbox(receiver.client(), "http://s/write", clock, max_reports=3)
        task = asyncio.create_task(outbox.run())
        for number in range(reports):
            outbox.add(Report(str(number).encode(), 10))
        await clock.advance(3)
        task.cancel()
        return outbox

    outbox = asyncio.run(run())
    assert (outbox.lost_lines_total, outbox.waiting_count) == (lost, waiting)
