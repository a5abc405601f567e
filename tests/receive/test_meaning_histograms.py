"""Histograms: what becomes of their cells, and whether they count messages."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.receive.gates import gates_of
from streamgauge.receive.intake import Origin
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.meaning.cells import middles, middles_by_sum
from streamgauge.receive.meaning.metering import MeaningSettings, Metering
from streamgauge.receive.measured import Form, Histograms, Measured, Numbers, Series
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000
S = 1_000_000_000
T0 = NOW - 1000
INF = math.inf
Cell = tuple[float, float, float]
"""Lower, upper, weight."""
LABELS = (("tenant", "acme"),)
LATENCY = Series("message.latency", LABELS, Form.CUMULATIVE, "s")
COUNT = Series("messages", LABELS, Form.DELTA)


def hist(
    time: int,
    cells: Sequence[Cell],
    start: int = 0,
    series: Series = LATENCY,
    total: float = math.nan,
) -> Histograms:
    table = np.array(cells, np.float64).reshape(-1, 3)
    return Histograms(
        [series],
        np.zeros(1, np.int32),
        np.array([(T0 + time) * S]),
        np.array([(T0 + start) * S if start else 0]),
        np.array([table[:, 2].sum()]),
        np.array([total]),
        np.array([0, len(table)]),
        table[:, 0],
        table[:, 1],
        table[:, 2],
    )


def buckets(
    time: int, told: dict[str, float], labels: tuple[tuple[str, str], ...] = LABELS
) -> Numbers:
    series = [
        Series(
            "message_latency_seconds_bucket", tuple(sorted((*labels, ("le", le)))), Form.CUMULATIVE
        )
        for le in told
    ]
    size = len(series)
    return Numbers(
        series,
        np.arange(size, dtype=np.int32),
        np.full(size, (T0 + time) * S),
        np.zeros(size, np.int64),
        np.array(list(told.values()), np.float64),
    )


def counted(time: int, value: float, series: Series = COUNT) -> Numbers:
    return Numbers(
        [series],
        np.zeros(1, np.int32),
        np.array([(T0 + time) * S]),
        np.zeros(1, np.int64),
        np.array([value]),
    )


def joined(*parts: Numbers) -> Numbers:
    first = np.cumsum([0, *(len(one.series) for one in parts)])
    return Numbers(
        [series for one in parts for series in one.series],
        np.concatenate([one.of + at for one, at in zip(parts, first, strict=False)]).astype(
            np.int32
        ),
        np.concatenate([one.time_ns for one in parts]),
        np.concatenate([one.start_ns for one in parts]),
        np.concatenate([one.value for one in parts]),
    )


def tenants(meter: Meter) -> dict[str, int]:
    found: Counter[str] = Counter()
    for body in meter.sink.bodies:
        for row in body.batch.messages.to_pylist():
            found[row["tenant"]] += row["count"]
    return dict(found)


class Meter:
    """Takes bodies, and says what they added."""

    def __init__(self, folder: Path | None = None) -> None:
        self.sink, self.folder, self._number = MemorySink(), folder, 0
        self._start()

    def _start(self) -> None:
        intake = workshop_of(self.sink, SimulatedClock(NOW)).intake
        self.metering = Metering(intake, MeaningSettings(self.folder))
        self.metering.open()

    def kill(self) -> None:
        self.metering.close()
        self._start()

    def send(self, numbers: Numbers | None = None, histograms: Histograms | None = None) -> None:
        self._number += 1
        origin = Origin("/any", idempotency_key=str(self._number))
        measured = Measured(numbers or Numbers(), histograms or Histograms())
        self.metering.take(origin, b"", measured, db="p")

    def added(self, table: str, column: str = "latency_s") -> dict[float, int]:
        """Value → how many."""
        found: Counter[float] = Counter()
        for body in self.sink.bodies:
            rows = getattr(body.batch, table)
            for row in rows.to_pylist() if rows is not None else []:
                found[row[column]] += row["count"]
        return {round(value, 6): count for value, count in found.items() if value is not None}


def test_a_cumulative_histogram_adds_what_its_cells_gained() -> None:
    meter = Meter()
    meter.send(histograms=hist(10, [(1, 4, 3), (4, 16, 1)], start=5))
    meter.send(histograms=hist(20, [(1, 4, 3), (4, 16, 4)], start=5))
    assert meter.added("messages") == {2: 3, 8: 4}


def test_without_a_start_the_first_point_is_a_baseline() -> None:
    meter = Meter()
    meter.send(histograms=hist(10, [(1, 4, 3)]))
    meter.send(histograms=hist(20, [(1, 4, 5)]))
    assert meter.added("messages") == {2: 2}


def test_a_lower_cell_begins_all_of_it_anew() -> None:
    meter = Meter()
    meter.send(histograms=hist(10, [(1, 4, 3), (4, 16, 9)]))
    meter.send(histograms=hist(20, [(1, 4, 5), (4, 16, 1)]))
    assert meter.added("messages") == {2: 5, 8: 1}


def test_a_late_point_adds_nothing_and_loses_nothing() -> None:
    meter = Meter()
    for time, weight in ((10, 3), (30, 9), (20, 5)):
        meter.send(histograms=hist(time, [(1, 4, weight)]))
    meter.send(histograms=hist(40, [(1, 4, 10)]))
    assert meter.added("messages") == {2: 7}


def test_delta_histograms_add_all_of_each_point() -> None:
    meter = Meter()
    delta = Series("message.latency", LABELS, Form.DELTA, "ms")
    for time in (10, 20):
        meter.send(histograms=hist(time, [(1000, 4000, 3)], series=delta))
    assert meter.added("messages") == {2: 6}


def test_beside_a_counter_of_its_sender_it_only_weighs() -> None:
    meter = Meter()
    delta = Series("message.latency", LABELS, Form.DELTA, "s")
    meter.send(counted(10, 5), hist(10, [(1, 4, 5)], series=delta))
    meter.send(histograms=hist(20, [(1, 4, 2)], series=delta))
    assert meter.sink.message_count == 5
    assert meter.added("durations") == {2: 7}


def test_another_sender_still_counts_by_its_histogram() -> None:
    meter = Meter()
    mine = Series("messages", (("instance", "a"),), Form.DELTA)
    other = Series("message.latency", (("instance", "b"),), Form.DELTA, "s")
    meter.send(counted(10, 5, mine), hist(10, [(1, 4, 3)], series=other))
    assert meter.sink.message_count == 8
    assert {
        row["router"] for body in meter.sink.bodies for row in body.batch.messages.to_pylist()
    } == {
        "a",
        "b",
    }


def test_who_counts_is_known_after_a_restart(tmp_path: Path) -> None:
    meter = Meter(tmp_path)
    delta = Series("message.latency", LABELS, Form.DELTA, "s")
    meter.send(counted(10, 5))
    meter.kill()
    meter.send(histograms=hist(20, [(1, 4, 2)], series=delta))
    assert meter.sink.message_count == 5


def test_time_waited_never_counts_messages() -> None:
    meter = Meter()
    waited = Series("message.queue_time", LABELS, Form.DELTA, "s")
    meter.send(histograms=hist(10, [(1, 4, 3)], series=waited))
    assert meter.sink.message_count == 0
    assert meter.added("durations", "queue_s") == {2: 3}


def test_cells_that_became_coarser_give_up_nothing() -> None:
    """What an exponential histogram does when its range grows."""
    meter = Meter()
    fine = [(1, 2, 3), (2, 4, 4), (4, 8, 0), (8, 16, 1)]
    meter.send(histograms=hist(10, fine, start=5))
    meter.send(histograms=hist(20, [(1, 4, 9), (4, 16, 1), (16, 64, 2)], start=5))
    assert sum(meter.added("messages").values()) == 12
    assert meter.added("messages")[2] == 2
    assert meter.added("messages")[32] == 2


def test_a_classic_histogram_comes_in_pieces_and_is_whole_in_the_end() -> None:
    meter = Meter()
    for time, low, high, all_of_it in ((10, 1, 2, 2), (20, 3, 6, 7)):
        meter.send(buckets(time, {"1": low}))
        meter.send(buckets(time, {"4": high, "+Inf": all_of_it}))
    assert meter.added("messages") == {0.5: 2, 2: 2, 4: 1}


def test_one_piece_may_always_be_ahead_of_the_other() -> None:
    meter = Meter()
    meter.send(buckets(10, {"1": 0}))
    meter.send(buckets(10, {"+Inf": 0}))
    for time in range(20, 100, 10):
        meter.send(buckets(time, {"1": time}))
        meter.send(buckets(time - 10, {"+Inf": (time - 10) * 2 if time > 20 else 0}))
    assert sum(meter.added("messages").values()) == 160


def test_a_bucket_that_is_gone_is_not_waited_for() -> None:
    meter = Meter()
    meter.send(buckets(10, {"1": 1, "4": 1, "+Inf": 1}))
    meter.send(buckets(20, {"1": 2, "+Inf": 2}))
    assert meter.sink.message_count == 0
    meter.send(buckets(320, {"1": 4, "+Inf": 6}))
    assert meter.sink.message_count == 5


STEP = st.tuples(
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
    st.integers(0, 6),
    st.sampled_from(["", "killed", "not kept", "restarted"]),
)


@given(steps=st.lists(STEP, min_size=2, max_size=8))
@settings(max_examples=20, deadline=None)
def test_buckets_sum_to_what_was_counted_however_they_are_cut(
    steps: list[tuple[list[int], int, str]],
) -> None:
    """Cut into requests, kept at the second try, with kills of ours and restarts of the sender."""
    expected = Counter[float]()
    with TemporaryDirectory() as folder:
        meter = Meter(Path(folder))
        standing = np.zeros(3)
        for number, (gained, cut, event) in enumerate(steps):
            is_restarted = event == "restarted" and standing[0] > gained[0]
            standing = np.array(gained) + (0 if is_restarted else standing)
            told = dict(zip(("1", "4", "+Inf"), np.cumsum(standing).tolist(), strict=True))
            names, at = list(told), 0 if is_restarted else cut if cut < 4 else 3
            for part in (names[:at], names[at:]):
                numbers = buckets((number + 1) * 10, {le: told[le] for le in part})
                if part and event == "not kept":
                    meter.sink.failure = StoreError("full", permanent=False)
                    with pytest.raises(StoreError):
                        meter.send(numbers)
                    meter.sink.failure = None
                if part:
                    meter.send(numbers)
                if event == "killed":
                    meter.kill()
            if number:
                expected.update(dict(zip((0.5, 2.0, 4.0), gained, strict=True)))
        meter.metering.close()
    assert meter.added("messages") == {value: n for value, n in expected.items() if n}


@pytest.mark.parametrize("cut", range(4))
def test_whatever_a_body_begins_with_a_histogram_is_one_series_to_the_guard(cut: int) -> None:
    meter = Meter()
    names = ("1", "2", "4", "+Inf")
    for time in (10, 20, 30):
        told = dict.fromkeys(names, float(time))
        parts = [names] if time < 30 else [names[:cut], names[cut:]]
        for part in filter(None, parts):
            meter.send(buckets(time, {le: told[le] for le in part}))
        if time == 20:
            known = meter.metering.intake.gates.guard.known_count
    assert meter.sink.message_count == 20
    assert meter.metering.intake.gates.guard.known_count == known


def test_many_scrapes_in_one_body_count_one_by_one() -> None:
    """What a sender that was away sends when it is back."""
    meter = Meter()
    meter.send(buckets(10, {"1": 1, "+Inf": 2}))
    late = [buckets(time, {"1": time, "+Inf": time * 2}) for time in (20, 30, 40)]
    meter.send(joined(*late, buckets(50, {"1": 50})))
    meter.send(joined(buckets(50, {"+Inf": 100}), buckets(60, {"1": 60, "+Inf": 120})))
    found: Counter[int] = Counter()
    for body in meter.sink.bodies:
        for row in body.batch.messages.to_pylist():
            found[row["time_ns"] // S - T0] += row["count"]
    assert found == {20: 38, 30: 20, 40: 20, 50: 20, 60: 20}


FINE: Sequence[tuple[float, float]] = ((-INF, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, INF))
COARSE: Sequence[tuple[float, float]] = ((-INF, 2.0), (2.0, INF))
BODY = st.lists(
    st.tuples(
        st.integers(0, 3),  # series
        st.sampled_from([10, 10, 10, 10, 0, -5]),  # s since its last point
        st.lists(st.integers(0, 3), min_size=4, max_size=4),  # gained by cell
        st.sampled_from(["", "", "", "", "reset", "coarse", "empty"]),
    ),
    min_size=1,
    max_size=6,
)


def alongside(parts: Sequence[Histograms]) -> Histograms:
    """Many in one body; a series is the same one wherever it occurs."""
    series = list(dict.fromkeys(one.series[0] for one in parts))
    sizes = [len(one.weight) for one in parts]
    return Histograms(
        series,
        np.array([series.index(one.series[0]) for one in parts], np.int32),
        np.concatenate([one.time_ns for one in parts]),
        np.concatenate([one.start_ns for one in parts]),
        np.concatenate([one.count for one in parts]),
        np.concatenate([one.sum for one in parts]),
        np.cumsum([0, *sizes]),
        np.concatenate([one.lower for one in parts]),
        np.concatenate([one.upper for one in parts]),
        np.concatenate([one.weight for one in parts]),
    )


def rows_of(meter: Meter, table: str) -> Counter[str]:
    """Rows of all bodies, added up."""
    found: Counter[str] = Counter()
    for body in meter.sink.bodies:
        told = getattr(body.batch, table)
        for row in told.to_pylist() if told is not None else []:
            count = row.pop("count")
            found[str(row)] += count
    return found


class Sender:
    """Of some histograms."""

    def __init__(self, form: Form) -> None:
        self._series = [
            Series(name, (("router", router), ("tenant", tenant)), form, unit)
            for name, router, tenant, unit in (
                ("message.latency", "a", "acme", "s"),
                ("message.latency", "b", "beta", "ms"),
                ("message.latency", "c", "acme", "s"),
                ("message.queue_time", "a", "acme", "s"),
            )
        ]
        self._form = form
        self._times, self._levels = [100] * 4, np.zeros((4, 4))

    def point(self, which: int, after_s: int, gained: list[int], event: str) -> Histograms:
        """One point; `after_s` may be negative: it comes late."""
        time = self._times[which] = self._times[which] + after_s
        before = 0 if event == "reset" or self._form == Form.DELTA else self._levels[which]
        level = self._levels[which] = np.array(gained) + before
        bounds, weight = FINE, level
        if event == "coarse":
            bounds, weight = COARSE, level.reshape(2, 2).sum(1)
        cells = [(*bound, one) for bound, one in zip(bounds, weight.tolist(), strict=True)]
        start = 50 if which == 1 else 0
        total = math.nan if which == 2 else float(level @ (0.5, 1.5, 3, 20))
        cells = [] if event == "empty" else cells
        return hist(time, cells, start, self._series[which], total)


@given(
    bodies=st.lists(BODY, min_size=2, max_size=6),
    form=st.sampled_from([Form.CUMULATIVE, Form.CUMULATIVE, Form.DELTA]),
    killed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_all_at_once_they_add_what_they_add_one_by_one(
    bodies: list[list[tuple[int, int, list[int], str]]], form: Form, killed: int
) -> None:
    """A body's points count in the order of their times, each as if it came alone."""
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        together, one_by_one = Meter(Path(first)), Meter(Path(second))
        sender, counter = Sender(form), Series("messages", (("router", "c"),), Form.DELTA)
        for meter in (together, one_by_one):
            meter.send(counted(10, 5, counter))
        for number, body in enumerate(bodies):
            parts = [sender.point(*one) for one in body]
            together.send(histograms=alongside(parts))
            for part in sorted(parts, key=lambda one: int(one.time_ns[0])):
                one_by_one.send(histograms=part)
            if number == killed:
                together.kill()
                one_by_one.kill()
        for meter in (together, one_by_one):
            meter.metering.close()
    for table in ("messages", "durations"):
        assert rows_of(together, table) == rows_of(one_by_one, table)


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ((1, 4), 2),
        ((-INF, 4), 2),
        ((0, 4), 2),
        ((4, INF), 4),
        ((-INF, 0), 0),
        ((-1, 0), 0),
        ((-INF, INF), 0),
    ],
)
def test_which_value_stands_for_a_cell(cell: tuple[float, float], value: float) -> None:
    assert middles(np.array([cell[0]]), np.array([cell[1]])).tolist() == [value]


def test_the_sum_tells_how_far_the_last_cell_reaches() -> None:
    lower, upper = np.array([1.0, 4.0] * 3), np.array([4.0, INF] * 3)
    weight, starts = np.array([2.0, 3.0] * 3), np.array([0, 2, 4])
    values = middles_by_sum(lower, upper, weight, starts, np.array([34.0, 1.0, math.nan]))
    assert values.tolist() == [2, 10, 2, 4, 2, 4]


def test_a_histogram_of_others_becomes_points() -> None:
    meter = Meter()
    other = Series("http.duration", LABELS, Form.CUMULATIVE, "s")
    meter.send(histograms=hist(10, [(-INF, 1, 2), (1, INF, 1)], series=other, total=3.5))
    (body,) = meter.sink.bodies
    points = {row["field"]: row["value"] for row in body.batch.points.to_pylist()}
    assert points == {"count": 3, "sum": 3.5, "1": 2, "+Inf": 3}


def test_what_a_quota_refuses_counts_later() -> None:
    """Neither counters nor histograms of a customer move on while its rows may not come in."""
    clock = SimulatedClock(NOW)
    limits = QuotaSettings(tenants={"acme": TenantLimits(lines_per_s=1)}, burst_s=1)
    gates = gates_of(clock, ReceiveLimits(), limits)
    meter = Meter()
    meter.metering = Metering(workshop_of(meter.sink, clock, gates=gates).intake)
    rising = Series("messages", (("router", "a"), ("tenant", "acme")), Form.CUMULATIVE)
    free = Series("messages", (("router", "a"), ("tenant", "beta")), Form.CUMULATIVE)

    def turn(time: int, stands_at: float) -> None:
        told = (
            buckets(time, {"1": stands_at, "4": stands_at * 2, "+Inf": stands_at * 2}),
            counted(time, stands_at, rising),
            counted(time, stands_at, free),
        )
        meter.send(joined(*told), hist(time, [(1, 4, stands_at), (4, 9, stands_at)]))

    turn(10, 5)
    for time, stands_at in ((20, 6), (30, 8)):
        clock.move_to(clock.now() + 0.001)
        turn(time, stands_at)
    assert tenants(meter) == {"beta": 3}
    clock.move_to(clock.now() + 3600)
    turn(40, 9)
    assert tenants(meter) == {"acme": 4 + 8 + 8, "beta": 4}
