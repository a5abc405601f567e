"""What must hold for any history."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet import DAY, START, Fleet, Sender, delta_of, make
from streamgauge.detect.detector import Detector
from streamgauge.detect.habit import SCALARS, WEEK, Habit
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
SMALL = settings(max_examples=25 if IS_NIGHTLY else 10, deadline=None)


def small_fleet(seed: int) -> Fleet:
    rng = np.random.default_rng(seed)
    senders = [
        Sender(
            Flow(f"t{i}", str(rng.choice(["web", "ios"])), str(rng.choice(["ga4", "s3", ""])),
                 "main", str(rng.choice(["received", "processed", "delivered"]))),
            float(10.0 ** rng.uniform(-1, 4)),
            shape=str(rng.choice(["flat", "office", "diurnal"])),
            clump=float(rng.choice([0.0, 3.0])),
            error_ratio=float(rng.choice([0.0, 0.05])),
        )
        for i in range(6)
    ]  # fmt: skip
    fleet = make(senders, 2 * DAY, seed)
    who = int(rng.integers(6))
    if rng.random() < 0.5:
        return fleet.silence([who], int(rng.integers(DAY, 2 * DAY)))
    return fleet.fail([who], 2 * DAY - 30, None, 0.9)


def told(findings: list[Finding]) -> dict[str, tuple[float, str]]:
    return {f.key: (f.since, f.over_reason) for f in findings}


def finite(habit: Habit, count: int) -> bool:
    rows = np.arange(1, count)
    parts = [getattr(habit, name)[rows] for name in SCALARS]
    parts += [read(rows, place) for read in (habit.rate, habit.nats) for place in range(WEEK)]
    parts += [habit.day_learned(rows, day) for day in range(7)]
    return all(np.isfinite(part).all() for part in parts)


@SMALL
@given(seed=st.integers(0, 10_000), parts=st.integers(2, 6))
def test_the_order_and_the_size_of_parts_do_not_matter(seed: int, parts: int) -> None:
    fleet = small_fleet(seed)
    table = fleet.table()
    at_once, in_parts = Detector(), Detector()
    at_once.observe(delta_of(table))
    rng = np.random.default_rng(seed)
    for part in np.array_split(rng.permutation(table.num_rows), parts):
        in_parts.observe(delta_of(table.take(pa.array(part))))
    now = fleet.end_s - 59.0
    assert told(at_once.evaluate(now)) == told(in_parts.evaluate(now))


@SMALL
@given(seed=st.integers(0, 10_000))
def test_what_is_learned_from_rollups_is_what_was_observed(seed: int) -> None:
    fleet = small_fleet(seed)
    observed, learned = Detector(), Detector()
    observed.observe(fleet.delta())
    learned.learn(fleet.history())
    now = fleet.end_s - 59.0
    for detector in (observed, learned):
        detector.evaluate(now - 600.0)  # what has just been loaded is let settle
    assert told(observed.evaluate(now)) == told(learned.evaluate(now))


@SMALL
@given(
    minutes=st.lists(
        st.one_of(
            st.integers(-(10**6), 10**6), st.integers(START - 3 * DAY, START + 60)
        ),
        min_size=1, max_size=40,
    ),
    counts=st.lists(st.sampled_from([0, 1, 5, 600_000_000, 2**63]), min_size=40, max_size=40),
    outcome=st.sampled_from(["ok", "error", "retried", "filtered", "odd"]),
    later_s=st.floats(-1e6, 1e7),
)  # fmt: skip
def test_nothing_that_comes_in_makes_numbers_that_are_none(
    minutes: list[int], counts: list[int], outcome: str, later_s: float
) -> None:
    n = len(minutes)
    tag = pa.array([outcome] * n).dictionary_encode()
    names = pa.array([f"t{i % 3}" for i in range(n)]).dictionary_encode()
    table = pa.table(
        {
            "minute": pa.array(minutes, pa.int64()),
            **dict.fromkeys(["tenant", "source", "integration", "pipeline"], names),
            "stage": pa.array(["delivered"] * n).dictionary_encode(),
            "outcome": tag, "reason": tag,
            "count": pa.array(counts[:n], pa.uint64()),
            "first_ns": pa.array([m * 60_000_000_000 for m in minutes], pa.int64()),
            "last_ns": pa.array([m * 60_000_000_000 for m in minutes], pa.int64()),
        }
    )  # fmt: skip
    detector = Detector()
    detector.observe(delta_of(table))
    for now in (60.0 * START, 60.0 * START + later_s):
        found = detector.evaluate(now)
        assert len(found) <= 4
        assert all("nan" not in f.summary for f in found)
    assert finite(detector._habit, detector._levels.row_count)


def test_a_hundred_thousand_new_flows_in_a_minute_are_no_storm() -> None:
    n = 100_000
    fleet = make([Sender(Flow("t", "web", "ga4", "main", "delivered"), 60.0)], DAY)
    detector = Detector()
    detector.learn(fleet.history())
    one = pa.array(["x"]).dictionary_encode().dictionary
    same = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), one)
    many = pa.array([f"s{i}" for i in range(n)]).dictionary_encode()
    minute = fleet.start + DAY
    detector.observe(
        delta_of(
            pa.table(
                {
                    "minute": pa.array(np.full(n, minute)),
                    "tenant": same, "source": many, "integration": same, "pipeline": same,
                    "stage": same, "outcome": same, "reason": same,
                    "count": pa.array(np.ones(n, np.uint64)),
                    "first_ns": pa.array(np.full(n, minute * 60_000_000_000)),
                    "last_ns": pa.array(np.full(n, minute * 60_000_000_000)),
                }
            )
        )
    )  # fmt: skip
    assert detector.evaluate(60.0 * minute + 5.0) == []
    assert detector.evaluate(60.0 * minute + 3605.0 - 3500.0) == []
