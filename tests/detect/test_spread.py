"""How clumped a row is taken to be: as its own hours tell, where they tell anything."""

from __future__ import annotations

import numpy as np
import pytest

from streamgauge.detect.shape import dispersion_of
from streamgauge.detect.spread import LEAST, UsualSpread

HOURS = 5 * 168


def _found(mean: float, true: float, usual: float, hours: int) -> np.ndarray:
    """1/r [200] as it is found from so many hours, of rows with `mean` messages an hour."""
    rng = np.random.default_rng(1)
    rate = np.full((HOURS, 200), mean, np.float32)
    rate[hours:] = 0.0
    counts = rng.poisson(rate * rng.gamma(1.0 / true, true, rate.shape)).astype(np.float32)
    return dispersion_of(counts, rate, rate, np.zeros((168, 200), np.float32), usual)


@pytest.mark.parametrize("usual", [0.05, 0.3])
def test_many_messages_speak_for_themselves(usual: float) -> None:
    found = _found(mean=100.0, true=0.2, usual=usual, hours=500)
    assert np.median(found) == pytest.approx(0.2, rel=0.15)


def test_few_messages_are_as_clumped_as_is_usual() -> None:
    """By their own moments half of these would have no clumps at all."""
    found = _found(mean=0.2, true=0.3, usual=0.3, hours=192)
    assert found.min() > 0.15
    assert np.median(found) == pytest.approx(0.3, rel=0.25)


def test_three_days_are_believed_in_part() -> None:
    found = _found(mean=20.0, true=0.05, usual=0.4, hours=72)
    assert 0.05 < np.median(found) < 0.2


def test_what_is_usual_needs_enough_rows_and_no_fleet_is_quite_even() -> None:
    usual = UsualSpread()
    usual.learn(np.full(19, 0.4), np.full(19, 0.4))
    assert usual == UsualSpread(LEAST, LEAST)
    usual.learn(np.full(20, 0.4), np.full(20, 0.001))
    assert usual == UsualSpread(0.4, LEAST)
