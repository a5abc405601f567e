"""What can be taken, how much of it is used, and until when."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet import DAY, START, Sender, delta_of, make, queue_table
from streamgauge.detect.capacity_forecast import reach
from streamgauge.detect.capacity_laws import ScalabilityLaw, fit
from streamgauge.detect.capacity_seen import QueueCapacity
from streamgauge.detect.detector import Detector
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM, Flow, Scope
from streamgauge.model.words import Kind, Severity

NAN = float("nan")


def seen(*stretches: tuple[int, float, float, float]) -> QueueCapacity:
    """A queue that was reported by the minute: (minutes, backlog, out a second, consumers)."""
    queue, minute = QueueCapacity(), START
    for minutes, backlog, out_per_s, consumers in stretches:
        for _ in range(minutes):
            queue.note(minute, backlog, NAN, (out_per_s, out_per_s), consumers)
            minute += 1
    return queue


def test_a_queue_sustains_the_most_that_went_out_while_work_waited() -> None:
    queue = seen((60, 0.0, 40.0, 2.0), (20, 9000.0, 100.0, 2.0), (20, 9000.0, 60.0, 2.0))
    found = queue.feasible()
    assert found is not None
    assert found.per_s == pytest.approx(100.0)
    assert found.is_proven


@pytest.mark.parametrize(
    "queue",
    [
        seen((60, 0.0, 100.0, 2.0)),
        seen((60, 5.0, 100.0, 2.0)),
        seen((4, 9000.0, 100.0, 2.0)),
        seen((60, NAN, NAN, NAN)),
    ],
    ids=["nothing waits", "work for a moment waits", "it is soon over", "nothing is told"],
)
def test_what_was_never_asked_of_it_is_not_known(queue: QueueCapacity) -> None:
    assert queue.feasible() is None


def test_what_went_out_while_nothing_waited_disproves_a_limit() -> None:
    found = seen((20, 9000.0, 100.0, 2.0), (60, 0.0, 140.0, 2.0)).feasible()
    assert found is not None
    assert (found.per_s, found.is_proven) == (pytest.approx(140.0), False)


def test_a_number_of_consumers_never_seen_follows_the_law_of_three_others() -> None:
    law = ScalabilityLaw(50.0, 0.05, 0.002)
    busy = [(20, 1e6, law.per_second(n), float(n)) for n in (1, 2, 4)]
    found = seen(*busy, (1, 0.0, 10.0, 8.0)).feasible()
    assert found is not None
    assert found.basis == "scalability law"
    assert found.per_s == pytest.approx(law.per_second(8), rel=0.01)
    fewer = seen((20, 9000.0, 100.0, 4.0), (1, 0.0, 10.0, 1.0)).feasible()
    assert fewer is not None
    assert fewer.per_s == pytest.approx(25.0)


@given(
    one=st.floats(0.1, 1e5), waits=st.floats(0.0, 0.3), agrees=st.floats(0.0, 0.01),
    counts=st.sets(st.integers(1, 64), min_size=3, max_size=8),
)  # fmt: skip
def test_the_law_is_found_again(one: float, waits: float, agrees: float, counts: set[int]) -> None:
    law = ScalabilityLaw(one, waits, agrees)
    n = np.array(sorted(counts), float)
    found = fit(n, np.array([law.per_second(float(count)) for count in n]))
    assert found is not None
    for count in n:
        assert found.per_second(count) == pytest.approx(law.per_second(count), rel=0.01)


def growing(weekly: float, days: int = 28, noise: float = 0.0, seed: int = 1) -> np.ndarray:
    """Busiest hours of days; weekends have a third."""
    day = np.arange(days)
    weekday = np.where(day % 7 >= 5, 0.33, 1.0)
    wobble = np.exp(np.random.default_rng(seed).normal(0.0, noise, days)) if noise else 1.0
    return 100.0 * weekday * (1.0 + weekly) ** (day / 7.0) * wobble


def test_the_day_is_found_to_a_day_where_growth_is_even() -> None:
    peaks = growing(0.1)
    found = reach(peaks, 1.1**2 * float(peaks[-7:].max()))
    assert found is not None
    assert found.days == pytest.approx(14.0, abs=1.0)
    assert found.growth_per_day * 7 == pytest.approx(np.log(1.1), rel=0.02)


def test_nine_of_ten_intervals_hold_the_day() -> None:
    held = 0
    for seed in range(60):
        peaks = growing(0.15, 56, 0.05, seed)
        capacity = float(peaks[:28].max()) * 1.25
        found = reach(peaks[:28], capacity)
        met = np.flatnonzero(growing(0.15, 200) >= capacity)[0] - 28
        assert found is not None
        late = np.inf if found.late_days is None else found.late_days
        held += (found.early_days or 0.0) - 2.0 <= met <= late + 7.0
    assert held >= 54


@pytest.mark.parametrize("weekly", [0.0, -0.05])
def test_a_load_that_does_not_grow_never_meets_it(weekly: float) -> None:
    found = reach(growing(weekly), 200.0)
    assert found is not None
    assert found.days is None


@given(peaks=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=35),
       capacity=st.floats(allow_nan=True, allow_infinity=True))  # fmt: skip
def test_wild_peaks_break_nothing(peaks: list[float], capacity: float) -> None:
    with np.errstate(over="ignore"):
        found = reach(np.array(peaks, float), capacity)
    assert found is None or found.days is None or np.isfinite(found.days)


def watched(weekly: float, room: float) -> tuple[Detector, list[Finding]]:
    """Four weeks of deliveries that grow; a queue that was full for half an hour this morning.

    Args:
        room: the queue's limit, by the busiest hour of the last week.
    """
    flow = Flow("acme", "web", "ga4", "main", "delivered")
    fleet = make([Sender(flow, 6000.0, "diurnal", regular=True, every=1)], 28 * DAY)
    growth = (1.0 + weekly) ** (np.arange(28 * DAY) / (7.0 * DAY))
    fleet.ok = np.round(fleet.ok * growth).astype(np.int64)
    detector = Detector()
    detector.learn(fleet.history())
    minutes = np.arange(fleet.minutes - 600, fleet.minutes)
    load = fleet.ok[0, minutes].astype(float)
    limit = room * float(fleet.ok[0, -7 * DAY :].reshape(-1, 60).mean(1).max())
    out = np.where(np.arange(600) < 30, limit, load)
    backlog = np.where(np.arange(600) < 30, 1e6, 0.0)
    fields = {
        "backlog": backlog.tolist(),
        "oldest_age_s": [1.0] * 600,
        "in_total": np.cumsum(load).tolist(),
        "out_total": np.cumsum(out).tolist(),
        "consumers": [4.0] * 600,
    }
    table = queue_table("to-ga4", (fleet.start + minutes).tolist(), fields)
    detector.observe(delta_of(fleet.table(0, 0), table))
    now = fleet.end_s - 30.0
    detector.evaluate(now - 60.0)
    found = [f for f in detector.evaluate(now) if f.kind is Kind.CAPACITY]
    return detector, found


def test_a_ticket_says_when_growth_will_use_the_room_up() -> None:
    detector, (found,) = watched(0.1, 1.1)
    figures = detector.capacity(PLATFORM)
    assert (found.severity, found.key) == (Severity.P4, "capacity/*/*/*/*/to-ga4")
    assert "its busiest hour brings" in found.summary
    assert figures is not None
    assert figures.reached_at == found.evidence["reached_at"]
    assert detector.capacity(Scope(tenant="acme")) is None
    days = (figures.reached_at - 60.0 * (START + 28 * DAY)) / 86_400.0
    assert 4.0 <= days <= 10.0, "a tenth of room, a tenth a week"


@pytest.mark.parametrize(("weekly", "room"), [(0.0, 1.3), (0.1, 3.0)], ids=["flat", "far away"])
def test_room_enough_is_not_told(weekly: float, room: float) -> None:
    detector, found = watched(weekly, room)
    assert found == []
    assert detector.capacity(PLATFORM) is not None
