"""The generator: what it makes adds up, and comes from its seed alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from bench.fleet.customers import Size, customers_of
from bench.fleet.made import Made, made
from bench.fleet.means import means_of
from bench.fleet.messages import Sent, sent
from bench.fleet.plan import DAY, START_MINUTE, Family, Plan
from bench.fleet.truth import Fault, FaultKind

from streamgauge.model.feed import HOURS_COLUMNS, MINUTES_COLUMNS, QUEUES_COLUMNS, ROUTERS_COLUMNS

SMALL = Plan(seed=3, customers=12, days=4, learned_days=2)


@pytest.fixture(scope="module")
def small() -> Made:
    return made(SMALL)


def test_a_fleet_has_customers_of_every_size_and_kind() -> None:
    fleet = customers_of(Plan(seed=5))
    assert {one.size for one in fleet} == set(Size)
    assert fleet[0].per_day == pytest.approx(4e6)
    assert fleet[-1].per_day == pytest.approx(3.0)
    assert all(len(one.sources) <= 3 and 1 <= len(one.integrations) <= 4 for one in fleet)
    assert {one.has_received for one in fleet} == {True, False}


def test_the_same_seed_makes_the_same_run_and_another_one_another(small: Made) -> None:
    again, other = made(SMALL), made(Plan(seed=4, customers=12, days=4, learned_days=2))
    minute = 2 * DAY + 700
    assert again.telemetry.take(minute).minutes.equals(small.telemetry.take(minute).minutes)
    assert again.telemetry.row_count != other.telemetry.row_count


def test_columns_are_those_of_the_feed(small: Made) -> None:
    delta, history = small.telemetry.take(2 * DAY), small.telemetry.history(2 * DAY)
    assert delta.minutes.column_names == list(MINUTES_COLUMNS)
    assert delta.queues.column_names == list(QUEUES_COLUMNS)
    assert delta.routers is not None
    assert delta.routers.column_names == list(ROUTERS_COLUMNS)
    assert sorted(history.hours.column_names) == sorted(HOURS_COLUMNS)


def test_history_and_what_arrives_later_are_all_of_it_once(small: Made) -> None:
    telemetry = small.telemetry
    history = telemetry.history(3 * DAY)
    learned = _messages(history.hours) + _messages(history.recent.minutes)
    arrived = sum(_messages(telemetry.take(minute).minutes) for minute in range(3 * DAY))
    assert learned == arrived
    first = int(history.recent.minutes["minute"].to_numpy().min()) - START_MINUTE
    assert first >= DAY


def test_stamps_lie_in_their_minutes_and_late_ones_come_within_half_an_hour(small: Made) -> None:
    for minute in range(2 * DAY, 2 * DAY + 120):
        frame = pl.DataFrame(small.telemetry.take(minute).minutes)
        late = minute + START_MINUTE - frame["minute"]
        assert late.is_between(0, 30).all()
        assert (frame["first_ns"] <= frame["last_ns"]).all()
        assert (frame["last_ns"] // 60_000_000_000 == frame["minute"]).all()


def _messages(table: pa.Table) -> int:
    return int(table["count"].to_numpy().sum())


def _sent(kind: FaultKind | None, **what: object) -> Sent:
    plan = Plan(seed=8, family=Family.WELL, customers=12, days=3, learned_days=1)
    customer = next(one for one in customers_of(plan) if one.has_received and one.per_day > 1000)
    faults = [] if kind is None else [Fault(0, kind, 1000, 3000, customer.number, **what)]  # type: ignore[arg-type]
    return sent(plan, customer, means_of(plan, customer, []), [], faults)


def test_every_message_received_is_delivered_filtered_or_failed() -> None:
    all_of_it = _sent(None)
    counts: dict[tuple[str, str], int] = {}
    for one in all_of_it.series:
        key = (one.flow.source, one.flow.integration)
        counts[key] = counts.get(key, 0) + int(one.counts.sum())
    for (source, integration), count in counts.items():
        in_transit = counts[source, ""] - count
        assert in_transit == 0 if not integration else 0 <= in_transit < 0.01 * count + 20


def test_a_drop_halves_a_silence_ends_and_a_loss_is_told_nowhere() -> None:
    usual, during = _sent(None), slice(1000, 3000)
    expected = np.sum(usual.received, axis=0)[during].sum()
    halved = np.sum(_sent(FaultKind.DROP, level=0.5).received, axis=0)[during].sum()
    assert 0.4 < halved / expected < 0.6
    assert np.sum(_sent(FaultKind.SILENT_CUSTOMER, level=0.0).received, axis=0)[during].sum() == 0
    lost = _sent(FaultKind.LOSS, level=0.3)
    delivered = lost.delivered[0][during].sum() / usual.delivered[0][during].sum()
    assert 0.6 < delivered < 0.8
    assert lost.failed[0].sum() == pytest.approx(usual.failed[0].sum(), rel=0.3)
