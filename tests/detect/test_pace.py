"""How sure a minute with a message is."""

from __future__ import annotations

import numpy as np
import pytest

from streamgauge.detect.pace import most_active
from streamgauge.detect.shape import WEEK


@pytest.mark.parametrize("missed", [0, 1, 3], ids=["never", "1 of 60", "3 of 60"])
def test_a_full_hour_last_week_is_no_surer_than_the_others(missed: int) -> None:
    active = np.full((2 * WEEK, 1), 60.0 - missed)
    active[17::WEEK] = 60.0
    most = most_active(active, np.ones_like(active))
    assert most[17, 0] == pytest.approx(60.0 - missed, abs=0.15 * missed + 1e-9)


def test_hours_of_the_day_that_miss_more_do_not_lower_the_others() -> None:
    active = np.full((2 * WEEK, 1), 60.0)
    active[3::24] = 54.0
    most = most_active(active, np.ones_like(active))[:24, 0]
    assert most[3] < 55.0
    assert most[12] > 59.9


def test_an_idle_night_says_nothing_of_the_day() -> None:
    active = np.where(np.arange(2 * WEEK) % 24 < 8, 0.0, 60.0)[:, None]
    assert (most_active(active, np.ones_like(active)) == 60.0).all()
