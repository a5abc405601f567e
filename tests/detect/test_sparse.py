"""Fleets that speak seldom, and days never seen before."""

from __future__ import annotations

import numpy as np
import pytest
from test_life import Watch, learned

from fleet import DAY, Fleet, Sender, make, steady
from streamgauge.model.flow import Flow, Scope
from streamgauge.model.words import Kind


def senders(count: int, per_hour: float, shape: str = "flat", every: int = 0) -> list[Sender]:
    return [
        Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), per_hour, shape, every=every)
        for i in range(count)
    ]


def watched(fleet: Fleet, known: int, step: int = 1) -> Watch:
    """Learn, then go on with the clock, asked each `step` minutes, lines or not."""
    watch = learned(fleet, known)
    for first in range(known, fleet.minutes, step):
        watch.detector.observe(fleet.delta(first, first + step))
        watch.ask(60.0 * (fleet.start + first + step))
    return watch


HEALTHY = {
    "a few lines an hour, a week known": (senders(4, 1.0), 7, 10),
    "a few lines an hour, three days known": (senders(4, 1.0), 3, 6),
    "office hours only, three weeks known": (senders(4, 10.0, "office"), 21, 26),
    "office hours only, the first weekend": (senders(6, 40.0, "office"), 4, 8),
    "hourly batches only": (senders(4, 500.0, every=60), 4, 6),
    "reports each five minutes": (senders(5, 100.0, every=5), 3, 4),
}


@pytest.mark.parametrize("case", HEALTHY.values(), ids=HEALTHY.keys())
def test_a_sparse_fleet_is_neither_blind_nor_silent(case: tuple[list[Sender], int, int]) -> None:
    fleet = make(case[0], case[2] * DAY, seed=11)
    watch = watched(fleet, case[1] * DAY, step=10)
    assert [f.summary for _, f in watch.opened] == []


@pytest.mark.parametrize("seed", range(6))
def test_the_first_day_of_a_sparse_fleet_is_not_blind(seed: int) -> None:
    """Minutes apart, and known for less than an hour: quiet was told as blindness at once."""
    fleet = make(senders(4, 4.0, "office"), DAY, seed=seed)
    first = int(np.flatnonzero(fleet.ok.sum(0))[0])
    watch = watched(fleet, first + 1, step=5)
    assert [f.summary for _, f in watch.opened] == []


@pytest.mark.parametrize(
    ("fleet", "within_h"),
    [
        (make(senders(4, 1.0), 10 * DAY, seed=11), 5.0),
        (make(senders(4, 500.0, every=60), 6 * DAY, seed=11), 4.0),
        (make(senders(5, 100.0, every=5), 4 * DAY, seed=11), 0.5),
        (steady(5, 3 * DAY), 0.1),
    ],
    ids=["a few lines an hour", "hourly batches", "each five minutes", "each minute"],
)
def test_a_fleet_that_stops_reporting_is_blind_and_nothing_else(
    fleet: Fleet, within_h: float
) -> None:
    watch = learned(fleet, fleet.minutes)
    last = 60.0 * (fleet.start + int(np.flatnonzero(fleet.ok.sum(0))[-1]))
    for now in np.arange(fleet.end_s, last + 3600.0 * within_h, 60.0):
        watch.ask(float(now))
    assert [f.kind for _, f in watch.opened] == [Kind.BLIND]


def test_three_days_are_enough_to_page_a_steady_customer_on_a_first_saturday() -> None:
    """Wednesday to Friday learned; the customer falls silent on Saturday morning."""
    begin = steady(1, 0).start + 2 * DAY
    names = [
        Sender(Flow(f"t{i:02d}", "web", "ga4", "main", "delivered"), 60.0, every=1, regular=True)
        for i in range(20)
    ]
    fleet = make(names, 3 * DAY + 600, start=begin).silence([4], 3 * DAY + 480)
    watch = watched(fleet, 3 * DAY + 479)
    assert [f.scope for _, f in watch.opened] == [Scope(tenant="t04")]


def _missed_at(fleet: Fleet, scope: Scope) -> float:
    """When it is told as silent, asked each hour of the last week."""
    watch = learned(fleet, fleet.minutes - 7 * DAY)
    for first in range(fleet.minutes - 7 * DAY, fleet.minutes, 60):
        watch.detector.observe(fleet.delta(first, first + 60))
        now = 60.0 * (fleet.start + first + 60)
        if scope in {f.scope for f in watch.ask(now) if not f.over_reason}:
            return now
    raise AssertionError(f"{scope} is not missed")


@pytest.mark.slow
def test_a_customer_of_three_a_day_is_missed_within_four_days() -> None:
    """Twelve such customers, one stops after three weeks; the least possible is 13.8 nats: 4.6."""
    delays = []
    for seed in range(3):
        fleet = make([*senders(12, 3 / 24), *senders(3, 60.0)[2:]], 28 * DAY, seed=seed)
        fleet.silence([3], 22 * DAY)
        last = 60.0 * (fleet.start + int(np.flatnonzero(fleet.ok[3])[-1]))
        delays.append((_missed_at(fleet, Scope(tenant="t3")) - last) / 86_400.0)
    assert np.median(delays) <= 4.0
