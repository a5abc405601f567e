"""What points of cumulative histograms add: all of a body at once, as one after the other."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.metering import MeaningSettings, Metering
from streamgauge.receive.meaning.samples import Floats, Shaped
from streamgauge.receive.meaning.shapes import FEW_CELLS, Shape
from streamgauge.receive.meaning.steps import Steps
from streamgauge.receive.measured import Form, Histograms, Measured, Series
from streamgauge.testing.receiving import MemorySink, workshop_of

S = 1_000_000_000
NOW = 1_700_000_000
T0 = NOW - 1000
INF = math.inf

FINE = (-INF, 1.0, 2.0, 4.0, INF)
COARSE = (-INF, 2.0, INF)
OTHER = (-INF, 0.7, 3.0, 9.0, INF)
"""As many cells as FINE has, and none of them is the same."""
WIDER = (0.5, 1.0, 2.0, 4.0, INF)
"""Another lower bound alone."""
MANY = tuple(float(one) for one in range(FEW_CELLS + 4))
LAYOUTS = (FINE, FINE, FINE, FINE, COARSE, OTHER, WIDER, MANY, ())

Point = tuple[int, int, tuple[float, ...], list[int], float]
"""Histogram, time in s, bounds, weights, sum."""


@st.composite
def points(draw: st.DrawFn) -> Point:
    bounds = draw(st.sampled_from(LAYOUTS))
    size = max(len(bounds) - 1, 0)
    weight = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size))
    total = draw(st.sampled_from([math.nan, 1.0, 7.5]))
    return draw(st.integers(0, 2)), draw(st.integers(0, 6)), bounds, weight, total


def shaped(told: list[Point]) -> Shaped:
    def flat(parts: list[list[float]]) -> Floats:
        return np.array([one for part in parts for one in part], np.float64)

    return Shaped(
        np.arange(len(told), dtype=np.int32),
        np.array([time for _, time, *_ in told], np.int64),
        np.zeros(len(told), np.int64),
        np.array([total for *_, total in told], np.float64),
        np.array([len(weight) for *_, weight, _ in told], np.int64),
        flat([list(bounds[:-1]) for _, _, bounds, *_ in told]),
        flat([list(bounds[1:]) for _, _, bounds, *_ in told]),
        flat([[float(one) for one in weight] for *_, weight, _ in told]),
    )


Added = list[tuple[int, int, list[float], str, bool]]
"""Histogram, place in the body, gained by cell, gained by the sum, has one before."""


def one_by_one(told: list[Point], known: dict[int, Shape]) -> Added:
    """The plain way, `known` moved on."""
    shapes, found = list(shaped(told).shapes()), []
    for place in sorted(range(len(told)), key=lambda at: (told[at][0], told[at][1])):
        key, shape = told[place][0], shapes[place]
        before = known.get(key)
        if before is not None and shape.time_ns <= before.time_ns:
            continue
        by, total = shape.risen_from(before) if before else (shape.weight, shape.sum)
        found.append((key, place, by.tolist(), str(total), before is not None))
        known[key] = shape.without_empty()
    return found


def all_at_once(told: list[Point], known: dict[int, Shape]) -> Added:
    keys = np.array([key for key, *_ in told], np.uint64)
    steps = Steps(shaped(told), keys, known.get)
    by, total = steps.risen()
    known |= dict(steps.after())
    ends = np.cumsum(steps.told.sizes)
    return sorted(
        (key, place, part.tolist(), str(gained), has)
        for key, place, part, gained, has in zip(
            steps.keys.tolist(),
            steps.told.rows.tolist(),
            np.split(by, ends[:-1]) if len(ends) else [],
            total.tolist(),
            steps.has_before.tolist(),
            strict=True,
        )
    )


def plain(known: dict[int, Shape]) -> dict[int, list[object]]:
    return {
        key: [str(one.sum), one.time_ns, *(a.tolist() for a in one[2:])]
        for key, one in known.items()
    }


@given(bodies=st.lists(st.lists(points(), min_size=1, max_size=8), min_size=1, max_size=4))
@settings(max_examples=200, deadline=None)
def test_points_of_a_body_add_what_they_add_one_after_the_other(bodies: list[list[Point]]) -> None:
    """In any order, late or twice at a time, with resets and cells that change."""
    together: dict[int, Shape] = {}
    apart: dict[int, Shape] = {}
    for body in bodies:
        assert all_at_once(body, together) == sorted(one_by_one(body, apart))
        assert plain(together) == plain(apart)


def test_what_is_remembered_holds_nothing_of_the_body() -> None:
    known: dict[int, Shape] = {}
    for time in (1, 2):
        told = shaped([(0, time, FINE, [time] * 4, 1.0)])
        steps = Steps(told, np.zeros(1, np.uint64), known.get)
        known |= dict(steps.after())
        assert not any(np.shares_memory(one, told.weight) for one in known[0][2:])
        assert not any(np.shares_memory(one, told.upper) for one in known[0][2:])


def test_of_many_cells_those_that_are_empty_are_not_remembered() -> None:
    size = len(MANY) - 1
    known: dict[int, Shape] = {}
    for body in ([(0, 1, MANY, [2] * size, 1.0)], [(0, 2, MANY, [0] + [1] * (size - 1), 1.0)]):
        all_at_once(body, known)
    assert known[0].weight.tolist() == [1] * (size - 1)
    assert known[0].lower.tolist() == list(MANY[1:-1])


class Meter:
    """Takes bodies, and says what they added."""

    def __init__(self, folder: Path) -> None:
        self.sink = MemorySink()
        self._intake = workshop_of(self.sink, SimulatedClock(NOW)).intake
        self._folder, self._number = folder, 0
        self.open()

    def open(self) -> None:
        self._metering = Metering(self._intake, MeaningSettings(self._folder))
        self._metering.open()

    def close(self) -> None:
        self._metering.close()

    def send(self, told: Histograms) -> None:
        self._number += 1
        origin = Origin("/any", idempotency_key=str(self._number))
        self._metering.take(origin, b"", Measured(histograms=told), db="p")

    def rows(self) -> Counter[str]:
        """Rows of all bodies, added up."""
        found: Counter[str] = Counter()
        for body in self.sink.bodies:
            for table in (body.batch.messages, body.batch.durations):
                for row in table.to_pylist() if table is not None else []:
                    found[str(row)] += row.pop("count")
        return found


SERIES = [
    Series("message.latency", (("router", "a"), ("tenant", "acme")), Form.CUMULATIVE, "s"),
    Series("message.latency", (("router", "b"), ("tenant", "beta")), Form.CUMULATIVE, "ms"),
    Series("message.queue_time", (("router", "a"), ("tenant", "acme")), Form.CUMULATIVE, "s"),
]
Started = tuple[Point, int]
"""A point, and when its sender began to count: seconds, 0: not told."""


def body_of(told: list[Started]) -> Histograms:
    made = shaped([point for point, _ in told])
    return Histograms(
        SERIES,
        np.array([key for (key, *_), _ in told], np.int32),
        (T0 + made.time_ns * 100) * S,
        np.array([(T0 + start) * S if start else 0 for _, start in told], np.int64),
        np.array([float(sum(weight)) for (*_, weight, _), _ in told]),
        made.sum,
        np.cumsum([0, *made.sizes.tolist()]),
        made.lower,
        made.upper,
        made.weight,
    )


@given(
    told=st.lists(
        st.tuples(points(), st.sampled_from([0, 0, 1, 150])),
        min_size=2,
        max_size=14,
        unique_by=lambda one: one[0][:2],
    ),
    cuts=st.lists(st.integers(0, 14), max_size=4),
    chance=st.randoms(use_true_random=False),
    is_killed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_however_points_are_cut_into_bodies_they_add_the_same(
    told: list[Started], cuts: list[int], chance: Random, is_killed: bool
) -> None:
    """A series' points come in their order, or in any within a body; senders begin anew."""
    told = sorted(told, key=lambda one: one[0][1])
    shuffled = told[:]
    chance.shuffle(shuffled)
    borders = [0, *sorted(min(cut, len(told)) for cut in cuts), len(told)]
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        whole, apart = Meter(Path(first)), Meter(Path(second))
        whole.send(body_of(shuffled))
        for begin, end in pairwise(borders):
            if part := told[begin:end]:
                chance.shuffle(part)
                apart.send(body_of(part))
            if is_killed:
                apart.close()
                apart.open()
        for meter in (whole, apart):
            meter.send(body_of([((key, 8, FINE, [4] * 4, 9.0), 1) for key in range(3)]))
            meter.close()
    assert whole.rows() == apart.rows()
