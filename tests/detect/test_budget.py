"""The budget of false pages: what it allows, and what it takes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.detect.budget import FalsePages

budgets = st.floats(0.001, 100.0).map(FalsePages.of_platform)
fleets = st.integers(0, 2_000_000)


@pytest.mark.parametrize(
    ("flows", "allowed"),
    [(0, 0.23), (766, 0.23), (1000, 0.3), (1_000_000, 300.0)],
    ids=["none", "one a month is the least", "a thousand", "a million"],
)
def test_what_is_allowed_a_week(flows: int, allowed: float) -> None:
    assert FalsePages().allowed(flows) == pytest.approx(allowed)


@given(budgets, fleets, st.floats(1.0, 1e5))
def test_false_pages_by_chance_stay_inside(budget: FalsePages, flows: int, looks: float) -> None:
    """By chance evidence of S nats comes with e^-S at most: looks x flows x e^-bar is expected."""
    chances = np.array([looks])
    expected = looks * max(flows, 20) * np.exp(-budget.bar(chances, flows)[0])
    assert expected <= budget.allowed(flows) * (1.0 + 1e-9)


@given(budgets, fleets, st.lists(st.floats(0.0, 1e6), min_size=1), st.integers(0, 10**7))
def test_a_larger_budget_never_takes_more_evidence(
    budget: FalsePages, flows: int, looks: list[float], holding: int
) -> None:
    chances = np.array(looks)
    more = FalsePages(2.0 * budget.per_1000_flows, 2.0 * budget.at_least)
    bar = budget.bar(chances, flows, holding, lowest=7.0)
    assert np.isfinite(bar).all()
    assert (bar >= 7.0).all()
    assert (more.bar(chances, flows, holding, lowest=7.0) <= bar).all()
