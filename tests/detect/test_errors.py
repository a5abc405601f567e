"""What evidence of failures is worth, and what it makes of hard histories."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_life import Watch, learned

from fleet import DAY, START, Sender, make
from streamgauge.detect.error_evidence import ALTERNATIVES, MIXED_NATS, Shares, of_hours
from streamgauge.model.flow import Flow
from streamgauge.model.words import Kind


def nats(failed: float, total: float, usual: float, dispersion: float) -> float:
    shares = Shares(np.array([usual]), np.array([dispersion]))
    found = shares.nats(np.array([failed]), np.array([total]))
    return float(found.max() - MIXED_NATS)


@pytest.mark.parametrize(
    ("failed", "total", "usual", "dispersion", "least", "most"),
    [
        pytest.param(3, 3, 0.003, 0.5, 12.0, 18.0, id="three of three where few fail: evidence"),
        pytest.param(1, 1, 0.003, 0.5, 0.0, 7.0, id="one of one is not"),
        pytest.param(4_000, 1_000_000, 0.001, 2.0, -9.0, 5.0, id="four times, wild hours: nothing"),
        pytest.param(4_000, 1_000_000, 0.001, 0.03, 16.0, 99.0, id="four times, even hours: much"),
        pytest.param(1_000, 1_000_000, 0.001, 0.03, -99.0, 0.0, id="as usual: none"),
    ],
)
def test_an_hour_weighs(
    failed: float, total: float, usual: float, dispersion: float, least: float, most: float
) -> None:
    assert least <= nats(failed, total, usual, dispersion) <= most


@pytest.mark.parametrize("dispersion", [0.03, 0.5, 2.0])
def test_evidence_is_a_bet_that_gains_nothing_where_all_is_usual(dispersion: float) -> None:
    """The mean of e^nats, mixed over the larger shares, is one at most (a test martingale)."""
    rng = np.random.default_rng(3)
    share = np.minimum(rng.gamma(1.0 / dispersion, 0.01 * dispersion, 40_000), 0.9)
    failed = rng.binomial(300, share).astype(float)
    shares = Shares(np.array([0.01]), np.array([dispersion]))
    gains = np.exp(shares.nats(failed[:, None], np.full((40_000, 1), 300.0)))
    assert gains.mean() <= 1.5


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(
        st.tuples(st.integers(0, 119), st.floats(-1e13, 1e13), st.floats(-1e13, 1e13)), max_size=5
    ),
    usual=st.floats(0.0, 1.0),
    dispersion=st.floats(0.0, 1e6),
    last=st.integers(60, 119),
)
def test_odd_counts_give_numbers(
    counts: list[tuple[int, float, float]], usual: float, dispersion: float, last: int
) -> None:
    failed, total = np.zeros((120, 1)), np.zeros((120, 1))
    for minute, lost, all_ in counts:
        failed[minute], total[minute] = lost, all_
    shares = Shares(np.array([usual]), np.array([dispersion]))
    level, onset = of_hours(shares, np.zeros((1, ALTERNATIVES)), failed, total, last)
    assert np.isfinite(level).all()
    assert (level >= 0.0).all()
    assert ((onset >= -1) & (onset <= last)).all()


@pytest.mark.parametrize(
    ("hours", "minute_of_hour"),
    [(1, 2), (1, 4), (1, 30), (2, 0), (2, 2), (2, 30), (6, 0), (6, 2)],
)
def test_an_outage_in_the_first_hours_does_not_become_the_habit(
    hours: int, minute_of_hour: int
) -> None:
    """It began five minutes ago, in the hour before, of which there is not yet another."""
    senders = [
        Sender(Flow(name, "web", "ga4", "main", "delivered"), 6000.0, every=1, regular=True)
        for name in ("acme", "beta")
    ]
    fleet = make(senders, 60 * hours, start=START + minute_of_hour)
    fleet.fail([0], -5, None, 0.9)
    watch = Watch()
    watch.detector.observe(fleet.delta(0, fleet.minutes))
    for after_s in (1.0, 130.0):
        watch.ask(fleet.end_s + after_s)
    assert [f.scope.tenant for _, f in watch.opened if f.kind is Kind.ERRORS] == ["acme"]


def test_a_customer_that_fails_and_then_sends_nothing_is_not_failing_for_ever() -> None:
    senders = [
        Sender(Flow(f"t{i:02d}", "web", "ga4", "main", "delivered"), 600.0, error_ratio=0.003)
        for i in range(12)
    ]
    first = 3 * DAY
    fleet = make(senders, first + 240)
    fleet.fail([4], first + 5, first + 25, 0.9).silence([4], first + 25)
    watch = learned(fleet, first).run(fleet, first, fleet.minutes)
    closed = [f for _, f in watch.closed if f.kind is Kind.ERRORS]
    assert [f.scope.tenant for f in closed] == ["t04"]
    assert closed[0].over_reason.startswith("nothing of it has been tried for 61 min")
