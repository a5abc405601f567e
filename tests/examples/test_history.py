"""The generated history: repeatable, gapless, and of the same habits as the live load."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import cache

import httpx
import numpy as np
import pytest
from examples.router.faults import Script, Silence
from examples.router.fleet import Customer, customers, daily_factor
from examples.router.history import Body, History
from examples.router.lines import Identity
from examples.router.load import Load, Target
from tests.examples.virtual import START_AT, Line, VirtualClock, parse

FLEET = customers()
IDENTITY = Identity("router-1", "1.0.0")


def generate(start_at: float, end_at: float, seed: int = 5) -> list[Body]:
    return list(History(FLEET, IDENTITY, seed).bodies(start_at, end_at))


def lines_of(bodies: list[Body]) -> list[Line]:
    return [line for body in bodies for line in parse(body.content.decode())]


def test_a_finer_step_tells_the_same_traffic() -> None:
    history = History(FLEET, IDENTITY)
    coarse = sum(body.received for body in history.bodies(START_AT, START_AT + 1800))
    fine = list(history.bodies(START_AT, START_AT + 1800, step_s=5.0))
    assert sum(body.received for body in fine) == pytest.approx(coarse, rel=0.02)
    stamps = {line.time_ns // 5_000_000_000 for line in lines_of(fine)}
    assert len(stamps) == 1800 / 5


def test_the_same_seed_makes_the_same_bytes_and_another_one_others() -> None:
    first = generate(START_AT, START_AT + 7200)
    assert first == generate(START_AT, START_AT + 7200)
    assert first[0].content != generate(START_AT, START_AT + 7200, seed=6)[0].content


def test_what_a_body_says_of_itself_is_what_is_in_it() -> None:
    for body in generate(START_AT, START_AT + 3 * 3600):
        lines = parse(body.content.decode())
        assert len(lines) == body.line_count
        counted: Counter[str] = Counter()
        for line in lines:
            if line.measurement == "messages":
                stage, outcome = line.tags["stage"], line.tags["outcome"]
                what = "received" if stage == "received" else outcome
                counted[what] += int(line.fields["count"])
        assert counted["received"] == body.received
        assert counted["ok"] + counted["error"] + counted["filtered"] == body.ends


def test_it_is_stamped_in_order_and_ends_exactly_where_live_traffic_begins() -> None:
    end_at = START_AT + 600 + 17.0
    lines = lines_of(generate(START_AT, end_at))
    for name in ("messages", "queue"):
        minutes = [line.time_ns // 60_000_000_000 for line in lines if line.measurement == name]
        assert minutes == sorted(minutes)
    stamps = [line.time_ns / 1e9 for line in lines]
    assert min(stamps) > START_AT
    assert end_at - 0.001 <= max(stamps) < end_at


def test_no_two_lines_of_a_series_share_a_time_stamp() -> None:
    seen: set[tuple[str, int]] = set()
    for line in lines_of(generate(START_AT, START_AT + 600)):
        key = (line.measurement + str(sorted(line.tags.items())), line.time_ns)
        assert key not in seen
        seen.add(key)


def test_a_history_in_two_parts_has_neither_gap_nor_overlap() -> None:
    """Sums of the last, shortened minute follow its length."""
    whole = sum(body.received for body in generate(START_AT, START_AT + 600))
    short = sum(body.received for body in generate(START_AT, START_AT + 600 + 6))
    assert 0 < short - whole < 0.2 * whole / 10


@pytest.mark.parametrize("tenant", [FLEET[3].name, FLEET[9].name, FLEET[16].name])
def test_the_load_keeps_the_rates_that_history_teaches(tenant: str) -> None:
    seconds = 900.0
    sent = _sent_by_load(seconds)[tenant]
    taught = sum(
        line.fields["count"]
        for line in lines_of(generate(START_AT, START_AT + seconds))
        if line.tags.get("stage") == "received" and line.tags["tenant"] == tenant
    )
    # each is Poisson: five deviations of their difference, and no bias beyond
    assert abs(sent - taught) < 5 * np.sqrt(sent + taught)


@cache
def _sent_by_load(seconds: float, script: Script | None = None) -> Counter[str]:
    """Events accepted by a router that takes everything, by customer."""

    async def run() -> Counter[str]:
        clock = VirtualClock()
        transport = httpx.MockTransport(lambda _request: httpx.Response(202))
        async with httpx.AsyncClient(transport=transport) as client:
            target = Target("http://router", "http://vendors", START_AT)
            chosen = [FLEET[3], FLEET[9], FLEET[15], FLEET[16]]
            load = Load(chosen, script or Script(), target, client, clock)
            task = asyncio.create_task(load.run())
            await clock.advance(seconds)
            task.cancel()
            return load.accepted

    return asyncio.run(run())


def test_a_silent_customer_sends_nothing_for_exactly_that_long() -> None:
    name = FLEET[9].name
    calm = _sent_by_load(300)
    quiet = _sent_by_load(300, Script((Silence(name, 100, 220),)))
    assert quiet[name] == pytest.approx(calm[name] * 180 / 300, rel=0.1)
    assert quiet[FLEET[3].name] == pytest.approx(calm[FLEET[3].name], rel=0.05)


@pytest.mark.parametrize(
    ("start_s", "end_s", "sending_s"),
    [
        pytest.param(0, 10, 10, id="before"),
        pytest.param(0, 11, 10, id="into it"),
        pytest.param(12, 15, 0, id="within"),
        pytest.param(18, 25, 5, id="out of it"),
        pytest.param(5, 30, 15, id="all around"),
    ],
)
def test_seconds_of_sending_around_a_silence(
    start_s: float, end_s: float, sending_s: float
) -> None:
    assert Silence("acme", 10, 20).sending_s(start_s, end_s) == sending_s


def test_customers_reach_from_one_a_minute_to_hundreds_a_second() -> None:
    rates = [one.messages_per_s for one in FLEET]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > 100
    assert rates[-1] == pytest.approx(1 / 60)
    assert 300 <= sum(rates) <= 600


def test_the_day_is_mild_and_averages_to_one_on_weekdays() -> None:
    monday = 1_795_392_000.0 + np.arange(0, 86400, 60.0)
    factor = daily_factor(monday)
    assert factor.mean() == pytest.approx(1, abs=0.001)
    assert factor.max() == pytest.approx(1.25, abs=0.001)


def test_consent_is_filtered_only_where_the_customer_has_the_rule() -> None:
    def share(one: Customer) -> set[bool]:
        return {one.filtered_ratio(name) > 0 for name in one.integrations}

    assert all(share(one) == {False} for one in FLEET if not one.has_consent_rule)
    assert any(share(one) == {True, False} for one in FLEET if one.has_consent_rule)
