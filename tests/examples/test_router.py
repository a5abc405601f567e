"""The router end to end, on the in-process queue and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from examples.router.queues import DEAD_LETTER, Depth
from examples.router.queues.memory import MemoryQueue
from examples.router.vendors import VendorFault
from examples.router.worker import Policy
from tests.examples.rig import Rig
from tests.examples.virtual import VirtualClock

NOTHING_MISSING = {"ga4": 0, "webhook": 0, "s3": 0}


def play(
    scene: Callable[[Rig, VirtualClock], Awaitable[None]],
    policy: Policy | None = None,
    max_waiting: int = 200_000,
) -> Rig:
    """Run a scene on a running router."""

    async def run() -> Rig:
        clock = VirtualClock()
        rig = Rig(clock, MemoryQueue(clock, max_waiting), policy or Policy())
        async with rig.service.running():
            await scene(rig, clock)
        return rig

    return asyncio.run(run())


def test_a_calm_burst_is_delivered_everywhere() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        assert (await rig.post("acme", 40)).json() == {"accepted": 40}
        await rig.post("kwik", 3, source="ios")
        await clock.advance(10)
        assert await rig.unaccounted() == NOTHING_MISSING

    rig = play(scene)
    counts = rig.reporting.counts("tenant", "source", "integration", "stage", "outcome")
    assert counts == {
        ("acme", "web", "", "received", "ok"): 40,
        ("acme", "web", "ga4", "delivered", "ok"): 40,
        ("acme", "web", "webhook", "delivered", "ok"): 40,
        ("acme", "web", "s3", "delivered", "ok"): 40,
        ("kwik", "ios", "", "received", "ok"): 3,
        ("kwik", "ios", "s3", "delivered", "ok"): 3,
    }
    ids = {hop.message_id for hop in rig.reporting.hops if hop.tenant == "kwik"}
    assert ids == {"kwik-0", "kwik-1", "kwik-2"}, "an event keeps its id on its whole way"


def test_no_message_is_lost_from_the_books_while_everything_goes_wrong() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(
            VendorFault("ga4", "status", ("acme",), status=500),
            VendorFault("ga4", "status", ("globex",), status=401),
            VendorFault("webhook", "rate_limit", events_per_s=5),
            VendorFault("s3", "slow", delay_s=7),
        )
        for _ in range(20):
            await rig.post("acme", 11)
            await rig.post("acme", 4, source="ios", consent=False)
            await rig.post("globex", 7)
            await rig.post("kwik", 1)
            await clock.advance(0.5)
            assert await rig.unaccounted() == NOTHING_MISSING
        assert sum((await rig.waiting()).values()) > 0
        await clock.advance(300)
        assert await rig.unaccounted() == NOTHING_MISSING
        assert await rig.waiting() == NOTHING_MISSING

    rig = play(scene)
    ends = rig.reporting.counts("tenant", "integration", "outcome", "reason")
    assert ends["acme", "ga4", "filtered", "consent"] == 80
    assert ends["acme", "ga4", "error", "http_500"] == 220
    assert ends["acme", "ga4", "retried", "http_500"] == 440
    assert ends["globex", "ga4", "error", "unauthorized"] == 140
    assert ends["globex", "ga4", "retried", "unauthorized"] == 0
    assert ends["globex", "webhook", "retried", "rate_limited"] > 0
    assert ends["kwik", "s3", "ok", ""] == 20


def test_what_failed_for_good_lies_in_the_dead_letter() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(VendorFault("s3", status=401))
        await rig.post("kwik", 5)
        await clock.advance(5)
        assert (await rig.queue.depths())[DEAD_LETTER].backlog == 5
        letters = await rig.queue.take(DEAD_LETTER, 10)
        assert [one.message.event["id"] for one in letters] == [f"kwik-{i}" for i in range(5)]

    play(scene)


def test_a_failing_customer_does_not_hold_up_the_others() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(VendorFault("webhook", "slow", ("acme",), delay_s=60))
        await rig.post("acme", 50)
        await rig.post("globex", 50)
        await clock.advance(2)
        counts = rig.reporting.counts("tenant", "integration", "outcome")
        assert counts["globex", "webhook", "ok"] == 50
        assert counts["acme", "webhook", "ok"] == 0

    play(scene, Policy())


def test_a_message_too_old_expires() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(VendorFault("s3", "slow", delay_s=30))
        for _ in range(3):
            await rig.post("kwik", 1)
            await clock.advance(1)
        await clock.advance(120)
        assert await rig.unaccounted() == NOTHING_MISSING

    one_at_a_time = Policy(expire_after_s=20, max_batches=1)
    rig = play(scene, one_at_a_time)
    counts = rig.reporting.counts("stage", "outcome", "reason")
    assert counts["delivered", "ok", ""] == 1
    assert counts["processed", "expired", "too_old"] == 2


def test_latency_counts_from_the_first_stamp_and_includes_retries() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(VendorFault("s3", "slow", delay_s=4))
        await rig.post("kwik", 6)
        await clock.advance(10)

    rig = play(scene)
    delivered = [hop for hop in rig.reporting.hops if hop.stage == "delivered"]
    assert len(delivered) == 6
    assert all(4.0 < (hop.latency_s or 0) < 4.5 for hop in delivered)
    assert all(0 <= (hop.wait_s or 0) <= 0.025 for hop in delivered)


@pytest.mark.parametrize(
    ("key", "body", "status", "word"),
    [
        pytest.param("nobody", "[]", 401, "X-Api-Key", id="an unknown key is refused"),
        pytest.param("key-acme", "{", 400, "not JSON", id="a body that is no JSON is refused"),
        pytest.param("key-acme", "[1]", 400, "objects", id="an event has to be an object"),
        pytest.param("key-acme", "[" + "{}," * 5000 + "{}]", 400, "5001", id="too many events"),
    ],
)
def test_bad_posts_get_an_answer_that_says_why(key: str, body: str, status: int, word: str) -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        headers = {"x-api-key": key}
        answer = await rig.ingest.post("/v1/events", headers=headers, content=body)
        assert answer.status_code == status
        assert word in answer.json()["error"]
        await clock.advance(6)

    rig = play(scene)
    assert rig.reporting.counts("tenant") == {}


def test_a_full_queue_takes_nothing_of_a_post_and_counts_nothing() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        answer = await rig.post("acme", 31)
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert (await rig.post("acme", 30)).status_code == 202
        assert await rig.unaccounted() == NOTHING_MISSING

    rig = play(scene, max_waiting=30)
    assert rig.reporting.counts("stage")["received",] == 30


def test_queues_tell_how_full_and_how_old_they_are() -> None:
    async def scene(rig: Rig, clock: VirtualClock) -> None:
        rig.fail(VendorFault("s3", "slow", delay_s=100))
        await rig.post("kwik", 1)
        await clock.advance(1)
        await rig.post("kwik", 3)
        await clock.advance(9)

    rig = play(scene, Policy(max_batches=1))
    # the router waits for a free batch before it takes what came second
    assert rig.reporting.depths["s3"][1] == Depth(
        backlog=3, oldest_age_s=9.0, in_total=4, out_total=0, consumers=1, in_flight=1
    )
