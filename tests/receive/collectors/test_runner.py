"""A collector is polled for ever, whatever its broker does, and disturbs nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import Overloaded
from streamgauge.model.gatherer import AgeMethod, Fault, GathererState, QueueReading
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.naming import Naming
from streamgauge.receive.collectors.runner import MAX_QUEUES, Pause
from streamgauge.testing.collecting import Bench, FakeCollector, bench_of

NOW = 1_800_000_000.0
SETTINGS = CollectorSettings(
    "fake", "orders-broker", Address("fake://me:s3cret@broker:1"), every_s=0.02, timeout_s=0.2
)
ORDERS = QueueReading(
    "events.acme.ga4",
    backlog=12,
    oldest_age_s=7.5,
    in_total=40,
    out_total=28,
    in_flight=3,
    oldest_age_method=AgeMethod.BROKER,
    tags={"vhost": "a b"},
)
BARE = QueueReading("bare", consumers=0)


def polled(
    answers: Sequence[Any],
    scene: Callable[[Bench, FakeCollector], Awaitable[None]],
    settings: CollectorSettings = SETTINGS,
) -> Bench:
    """Run a collector with these answers through a scene."""

    async def run() -> Bench:
        collector = FakeCollector(answers)
        bench = bench_of(settings, lambda _: collector, SimulatedClock(NOW))
        await scene(bench, collector)
        return bench

    return asyncio.run(run())


async def once(bench: Bench, _: FakeCollector) -> None:
    await bench.runner.poll()


def test_readings_become_rows_and_unknown_stays_unknown() -> None:
    naming = Naming(patterns=("events.{tenant}.{integration}",))
    bench = polled([[ORDERS, BARE]], once, replace(SETTINGS, naming=naming))
    rows = bench.rows
    assert rows[0] == {
        "time_ns": int(NOW * 1e9),
        "db": "",
        "queue": "events.acme.ga4",
        "pipeline": "",
        "integration": "ga4",
        "tenant": "acme",
        "router": "",
        "tags": "vhost=a\\ b",
        "backlog": 12.0,
        "oldest_age_s": 7.5,
        "in_total": 40.0,
        "out_total": 28.0,
        "consumers": None,
        "in_flight": 3.0,
    }
    known = {name for name, value in rows[1].items() if value not in {None, ""}}
    assert known == {"time_ns", "queue", "consumers"}
    assert rows[1]["consumers"] == 0.0
    assert all(body.is_collected for body in bench.sink.bodies)
    health = bench.health
    assert (health.state, health.last_success_at) == (GathererState.OK, NOW)
    assert [one.queue for one in health.queues] == ["events.acme.ga4", "bare"]


def test_a_stamp_of_the_broker_is_kept() -> None:
    bench = polled([[replace(BARE, at=NOW - 90.5)]], once)
    assert bench.rows[0]["time_ns"] == int((NOW - 90.5) * 1e9)


@pytest.mark.parametrize(
    ("error", "fault", "text"),
    [
        (
            ConnectionRefusedError(111, "no"),
            Fault.REFUSED,
            "broker:1 refuses connections: look whether it runs, and whether host and port",
        ),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] again"),
            Fault.REFUSED,
            "broker:1 refuses connections",
        ),
        (ConnectionResetError(104, "gone"), Fault.CUT, "broker:1 cut the connection"),
        (
            ExceptionGroup("both", [ValueError("x"), ConnectionRefusedError(111, "no")]),
            Fault.REFUSED,
            "broker:1 refuses connections",
        ),
        ("hang", Fault.HANGS, "broker:1 does not answer within 0.2 s"),
        ("hang on", Fault.HANGS, "broker:1 does not answer within 0.2 s"),
        (
            KeyError("me:s3cret@broker"),
            Fault.ANSWER,
            "broker:1: KeyError: 'me:…@broker'",
        ),
    ],
    ids=[
        "refused",
        "refused at several addresses",
        "cut",
        "one of a group",
        "hangs",
        "hangs and does not listen when it is cancelled",
        "what nobody foresaw is told without the password",
    ],
)
def test_what_fails_is_told_in_plain_words(error: Any, fault: Fault, text: str) -> None:
    async def scene(bench: Bench, collector: FakeCollector) -> None:
        await bench.runner.poll()
        collector.left.set()

    health = polled([error], scene).health
    assert (health.state, health.fault) == (GathererState.FAILING, fault)
    assert health.last_error.startswith(text)
    assert "s3cret" not in health.last_error + health.address
    assert health.address == "fake://broker:1"


def test_it_reconnects_and_goes_on_by_itself() -> None:
    answers = [[BARE], ConnectionResetError(), "hang", ConnectionRefusedError(), [BARE, ORDERS]]

    async def scene(bench: Bench, collector: FakeCollector) -> None:
        async with bench.running():
            await bench.until(lambda b: b.last("events.acme.ga4"))
        assert collector.opened == 4
        assert collector.closed == 4

    health = polled(answers, scene).health
    assert health.state is GathererState.OK
    assert (health.failures_total, health.failed_in_a_row) == (3, 0)


def test_a_failure_leaves_no_row_and_knows_what_is_unseen() -> None:
    async def scene(bench: Bench, _: FakeCollector) -> None:
        await bench.runner.poll()
        await bench.runner.poll()

    bench = polled([[BARE, ORDERS], ConnectionRefusedError()], scene)
    assert len(bench.rows) == 2
    assert [one.queue for one in bench.health.unseen] == ["bare", "events.acme.ga4"]


def test_a_single_queue_that_cannot_be_read_hides_no_other() -> None:
    naming = Naming(include=("bare", "missing"))
    bench = polled([[ORDERS, BARE]], once, replace(SETTINGS, naming=naming))
    health = bench.health
    assert [row["queue"] for row in bench.rows] == ["bare"]
    assert [one.queue for one in health.unseen] == ["missing"]
    assert health.state is GathererState.FAILING
    assert health.last_error == (
        "1 of 2 queues cannot be read: missing: it does not exist, or these credentials may not "
        "see it"
    )


def test_what_cannot_be_kept_is_told_as_ours() -> None:
    async def scene(bench: Bench, _: FakeCollector) -> None:
        bench.sink.failure = Overloaded("the journal is full", 5)
        await bench.runner.poll()

    health = polled([[BARE]], scene).health
    assert health.fault is Fault.OURS
    assert health.last_error == "what was read could not be kept: the journal is full"


def test_more_queues_than_can_be_read_are_told() -> None:
    many = [QueueReading(f"q{number}") for number in range(MAX_QUEUES + 1)]
    bench = polled([many], once)
    assert bench.health.last_error == (
        "10001 queues can be seen, 10000 at most are read: choose by `include` or `exclude`"
    )
    assert bench.rows == []


def test_a_stop_does_not_wait_for_what_hangs() -> None:
    async def scene(bench: Bench, collector: FakeCollector) -> None:
        async with bench.running():
            await bench.until(lambda _: collector.reads)

    settings = replace(SETTINGS, timeout_s=3600.0)
    bench = polled(["hang"], scene, settings)
    assert bench.health.state is GathererState.UNKNOWN


def test_a_collector_that_hangs_on_holds_up_no_other() -> None:
    async def run() -> None:
        stuck = FakeCollector(["hang on"])
        slow = bench_of(SETTINGS, lambda _: stuck)
        fine = bench_of(SETTINGS, lambda _: FakeCollector([[BARE]]))
        async with slow.running(), fine.running():
            await fine.until(lambda b: len(b.rows) >= 20)
            await slow.until(lambda b: b.health.failures_total >= 2)
            stuck.left.set()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("every_s", "failures", "low_s", "high_s"),
    [
        (10.0, 1, 8.0, 12.0),
        (10.0, 2, 16.0, 24.0),
        (10.0, 9, 48.0, 72.0),
        (10.0, 10_000, 48.0, 72.0),
        (1.0, 9, 4.8, 7.2),
        (300.0, 1, 240.0, 360.0),
        (300.0, 5, 240.0, 360.0),
    ],
    ids=[
        "the first failure waits as usual",
        "the second waits twice as long",
        "a minute at most",
        "also for ever after",
        "six polls at most",
        "rare polls stay as rare",
        "and become no rarer",
    ],
)
def test_pauses_grow_to_a_limit(every_s: float, failures: int, low_s: float, high_s: float) -> None:
    pause = Pause(every_s)
    assert pause.after_failures(failures, 0.0) == pytest.approx(low_s)
    assert pause.after_failures(failures, 1.0) == pytest.approx(high_s)
