"""The loads of the benches of detection: of the size and shape that they say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from bench.detecttick import START_HOUR, Platform, measured
from bench.replay import bodies


def test_history_to_replay_has_about_so_many_lines_in_the_order_of_time() -> None:
    text = b"".join(bodies(30_000, days=3)).decode()
    lines = text.splitlines()
    assert len(lines) == pytest.approx(30_000, rel=0.1)
    stamps = np.array([int(line.rpartition(" ")[2]) for line in lines])
    assert (np.diff(stamps) >= 0).all()
    shape = re.compile(r"messages,tenant=t\d{3},source=web,integration=\w+,\S+ count=\d+i \d{19}")
    assert all(shape.fullmatch(line) for line in lines)


def test_a_fiftieth_of_the_flows_is_active_in_a_typical_minute_and_each_in_a_busy_one() -> None:
    typical, busy = Platform(10_000, 0.018, 24), Platform(10_000, 1.0, 2)
    assert typical.delta(START_HOUR * 60).minutes.num_rows == pytest.approx(200, abs=10)
    assert busy.delta(START_HOUR * 60).minutes.num_rows == 10_000
    assert busy.history().hours.num_rows == 20_000


def test_turns_are_measured_one_by_one() -> None:
    found = measured(Platform(100, 1.0, 24), 3)
    assert len(found.turns) == 3
    assert found.first.total_s > 0.0
