"""What was received and left no trace, and what only seems so."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledgers import LEARNED, LossWatch, ledger, lose, pause, rows

from fleet import DAY, START, Fleet
from streamgauge.detect.watcher import Turn
from streamgauge.model.words import Severity, Suspected

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
AT = LEARNED + 10 * 60
"""10:00 of the first day after what is learned."""


@dataclass
class Case:
    """What happens, and what shall have been opened by the end."""

    sentence: str
    change: Callable[[Fleet], object]
    opened: set[str] = field(default_factory=set)


def _nothing(fleet: Fleet) -> None:
    pass


def _two_apart(fleet: Fleet) -> None:
    """Two customers of one integration, six hours apart, both for ten hours."""
    lose(fleet, rows(fleet, tenant="t05", integration="ga4"), AT, AT + 600, 0.3)
    lose(fleet, rows(fleet, tenant="t07", integration="ga4"), AT + 360, AT + 960, 0.3)


def _nightly_batch(fleet: Fleet) -> None:
    """Received within a minute, delivered over four hours."""
    for day in range(fleet.minutes // DAY):
        at = day * DAY + 60
        fleet.ok[3, at] += 4800
        fleet.ok[[4, 5], at : at + 240] += 20


CASES = [
    Case("everything ends: nothing", _nothing),
    Case("6 % of one customer's for one integration vanish: that customer there",
         lambda f: lose(f, rows(f, tenant="t05", integration="ga4"), AT, AT + 600, 0.06),
         {"loss/t05/*/ga4/*/"}),
    Case("a tenth of one customer's vanishes everywhere: the customer",
         lambda f: lose(f, rows(f, tenant="t05"), AT, AT + 600, 0.1), {"loss/t05/*/*/*/"}),
    Case("a tenth of everybody's for one integration vanishes: the integration",
         lambda f: lose(f, rows(f, integration="ga4"), AT, AT + 600, 0.1), {"loss/*/*/ga4/*/"}),
    Case("0.5 % of everybody's for one integration vanish for a day: the integration",
         lambda f: lose(f, rows(f, integration="ga4"), AT, AT + 1440, 0.005), {"loss/*/*/ga4/*/"}),
    Case("two customers begin to lose six hours apart: each of them", _two_apart,
         {"loss/t05/*/ga4/*/", "loss/t07/*/ga4/*/"}),
    Case("a tenth of everything vanishes: the platform",
         lambda f: lose(f, rows(f), AT, AT + 600, 0.1), {"loss/*/*/*/*/"}),
    Case("a fifth is delivered twice: doubles",
         lambda f: lose(f, rows(f, tenant="t05", integration="ga4"), AT, AT + 600, -0.2),
         {"loss/t05/*/ga4/*/doubles"}),
    Case("deliveries pause for twenty minutes: nothing",
         lambda f: pause(f, rows(f), AT, AT + 20, 3.0)),
    Case("an integration is down for three hours, then all is delivered: nothing",
         lambda f: pause(f, rows(f, integration="s3"), AT, AT + 180, 2.0)),
    Case("an integration is down for ten hours, and slow to catch up: nothing",
         lambda f: pause(f, rows(f, integration="s3"), AT, AT + 600, 1.3)),
    Case("a nightly batch is worked off over four hours: nothing", _nightly_batch),
    Case("three of a customer's messages vanish in all: nothing",
         lambda f: lose(f, rows(f, tenant="t02", integration="ga4"), AT, AT + 3, 0.02)),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sentence)
def test_every_ledger_is_weighed(case: Case) -> None:
    fleet = ledger()
    case.change(fleet)
    watch = LossWatch().learn(fleet).run(fleet)
    kept = {finding.key for _, finding in watch.opened}
    wider = {key for _, finding in watch.opened for key in finding.covers}
    assert kept - wider == case.opened
    assert not watch.open, "all of it was over hours before the end"


@pytest.mark.parametrize(
    ("hourly", "latency"),
    [
        (0.3, 25),
        pytest.param(0.0, 0, marks=pytest.mark.slow),
        pytest.param(0.0, 25, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("kind", ["exact", "loose", "drifting"])
def test_weeks_of_healthy_customers_open_nothing(kind: str, latency: int, hourly: float) -> None:
    """Three weeks of thirty in full, else one week of ninety."""
    tenants, days = (30, 29) if IS_NIGHTLY else (90, 15)
    fleet = ledger(tenants, days, kind=kind, hourly=hourly, latency=latency)
    watch = LossWatch().learn(fleet).run(fleet, step=60)
    assert [f.summary for _, f in watch.opened] == []


def test_the_interval_holds_what_was_lost() -> None:
    held = []
    for seed in range(8):
        fleet = ledger(tenants=3, per_hour=20_000.0, seed=seed)
        who = rows(fleet, tenant="t01", integration="s3")
        lost = lose(fleet, who, AT, fleet.minutes, 0.2, seed)
        watch = LossWatch().learn(fleet).run(fleet, step=60)
        until = int(watch.open["loss/t01/*/s3/*/"].evidence["until_at"]) // 60 - START
        lost = int(lost - _lost_after(fleet, who, until, seed))
        evidence = watch.open["loss/t01/*/s3/*/"].evidence
        held.append(evidence["at_least_count"] <= lost <= evidence["at_most_count"])
    assert sum(held) >= 7


def _lost_after(fleet: Fleet, who: list[int], minute: int, seed: int) -> float:
    """About what was lost after a minute: a fifth was."""
    return float(fleet.ok[who, minute:].sum() * 0.25)


def _until(fleet: Fleet, minute: int) -> Fleet:
    return Fleet(fleet.senders, fleet.ok[:, :minute], fleet.failed[:, :minute])


def test_a_loss_is_told_within_two_settled_hours_and_ends_after_it() -> None:
    fleet = ledger()
    lost = lose(fleet, rows(fleet, tenant="t05", integration="ga4"), AT, AT + 300, 0.3)
    watch = LossWatch().learn(fleet).run(fleet)
    (opened_at, opened), (closed_at, _, why) = watch.opened[0], watch.closed[0]
    assert opened_at - AT <= 2 * 60 + 30
    assert closed_at - (AT + 300) <= 4 * 60
    told = re.fullmatch(r"what was received for it ends again; about (.+) were lost", why)
    assert told is not None
    assert int(told[1].replace(",", "")) == pytest.approx(lost, rel=0.01)
    assert (opened.severity, opened.suspected) == (Severity.P3, Suspected.PLATFORM)
    assert opened.summary.startswith("Customer t05, integration ga4: between ")
    assert "received between 10:00 UTC and 12:00 UTC were neither delivered" in opened.summary


def test_what_waits_in_its_queues_is_not_lost() -> None:
    fleet = ledger()
    who = rows(fleet, tenant="t05", integration="ga4")
    lose(fleet, who, AT, AT + 300, 0.3)
    watch = LossWatch(lambda scope, hour: (1e6, 0.0)).learn(fleet).run(fleet)
    assert watch.opened == []


def test_what_ends_late_is_not_lost() -> None:
    """Stamped in its hour, told three hours later."""
    fleet = ledger()
    who = rows(fleet, tenant="t05", integration="ga4")
    held = fleet.ok[who, AT : AT + 300] // 2
    fleet.ok[who, AT : AT + 300] -= held
    watch = LossWatch().learn(fleet).run(_until(fleet, AT + 300))
    assert [f.key for f in watch.open.values()] == ["loss/t05/*/ga4/*/"]
    late = Fleet(fleet.senders, np.zeros_like(fleet.ok), np.zeros_like(fleet.ok))
    late.ok[who, AT : AT + 300] = held
    watch.loss.observe(watch.locator.minutes(late.table(AT, AT + 300)))
    watch.run(fleet, AT + 300)
    assert [why for _, _, why in watch.closed] == ["the missing messages ended late"]


def test_half_of_a_ratio_is_taken_for_usual_after_two_days() -> None:
    fleet = ledger(days=13)
    who = rows(fleet, tenant="t05", integration="s3")
    lose(fleet, who, AT, None, 0.5)
    watch = LossWatch().learn(fleet).run(fleet, step=60)
    assert [f.key for _, f in watch.opened] == ["loss/t05/*/s3/*/"]
    assert [why for _, _, why in watch.closed] == ["two days later it is taken for usual"]


def test_it_stays_open_over_a_restart() -> None:
    fleet = ledger()
    lose(fleet, rows(fleet, tenant="t05", integration="ga4"), AT, AT + 900, 0.3)
    before = LossWatch().learn(fleet).run(_until(fleet, AT + 300))
    since = {key: finding.since for key, finding in before.open.items()}
    after = LossWatch().learn(fleet, AT + 300)
    after.loss.restore(since)
    after.run(fleet, AT + 300)
    assert list(since) == ["loss/t05/*/ga4/*/"]
    assert [f.key for _, f in after.opened] == ["loss/t05/*/ga4/*/"]
    assert [key for _, key, _ in after.closed] == ["loss/t05/*/ga4/*/"]


def test_nothing_is_weighed_where_one_stage_is_reported() -> None:
    fleet = ledger()
    received = [i for i, s in enumerate(fleet.senders) if s.flow.stage == "received"]
    lose(fleet, rows(fleet), AT, AT + 600, 0.9)
    fleet.ok[received] = 0
    watch = LossWatch().learn(fleet).run(fleet)
    assert watch.opened == []


@settings(max_examples=30 if IS_NIGHTLY else 10, deadline=None)
@given(seed=st.integers(0, 10_000), jump=st.sampled_from([0, -DAY, 40 * DAY, 400 * DAY]))
def test_wild_counts_and_clocks_break_nothing(seed: int, jump: int) -> None:
    rng = np.random.default_rng(seed)
    fleet = ledger(tenants=3, days=3, seed=seed)
    some = rng.random(fleet.ok.shape) < 0.001
    fleet.ok[some] = rng.choice([0, 10**13, 2**40], int(some.sum()))
    watch = LossWatch().learn(fleet, DAY).run(fleet, DAY, step=240)
    fleet.start += jump
    watch.run(fleet, 2 * DAY, step=240)
    end = 60.0 * (fleet.start + fleet.minutes)
    found = watch.loss.judge(Turn(end + 10 * 86_400.0, end + 10 * 86_400.0, False))
    numbers = [v for f in found for v in f.evidence.values() if isinstance(v, float)]
    assert np.isfinite(numbers).all()
    for balance in (watch.loss._books.of_units, watch.loss._books.of_levels):
        assert all(np.isfinite(np.asarray(a, float)).all() for a in vars(balance).values())
