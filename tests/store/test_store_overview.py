"""What the key metrics count, on the real engine."""
# ruff: noqa: E501 - a row a case

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.batch import ENDED
from streamgauge.model.views import Filters, Overview
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
HOUR = (NOW, NOW + 3600)
ALL = Filters()


def collected(store: Store, *queues: Row) -> Store:
    """What our own collectors saw."""
    seen = body(queue=[{"at": NOW, **row} for row in queues])
    store.write(replace(seen, is_collected=True), None, NOW)
    assert store.flush(30)
    return store


def stored(store: Store, *rows: Row, queue: tuple[Row, ...] = ()) -> Store:
    timed = [{"at": NOW, **row} for row in rows]
    store.write(body(timed, [{"at": NOW, **row} for row in queue]), None, NOW)
    assert store.flush(30)
    return store


@dataclass(frozen=True)
class Case:
    """Rows, and what they count: messages, errors, filtered, received."""

    what: str
    rows: list[Row]
    expected: tuple[int, int, int, int | None]
    filters: Filters = field(default_factory=Filters)


def hop(integration: str, stage: str, outcome: str = "ok", count: int = 1, **more: object) -> Row:
    tags = {"tenant": "acme", "source": "web", "integration": integration}
    return {**tags, "stage": stage, "outcome": outcome, "count": count, **more}


# fmt: off
CASES = [
    Case("each delivery counts, also of one message", [hop("ga4", "delivered"), hop("s3", "delivered"), hop("", "received")], (2, 0, 0, 1)),
    Case("a retried attempt is no end", [hop("ga4", "delivered", "retried", 9), hop("ga4", "delivered")], (1, 0, 0, None)),
    Case("a failed delivery is an end and an error", [hop("ga4", "delivered", "error", 2), hop("ga4", "delivered", "ok", 6)], (8, 2, 0, None)),
    Case("what ends early counts where it ended", [hop("ga4", "delivered", "ok", 5), hop("ga4", "processed", "filtered", 3), hop("ga4", "queued", "expired", 2), hop("", "received", "dropped", 1), hop("", "received", "ok", 10)], (11, 3, 3, 11)),
    Case("what passes an earlier stage is no end", [hop("ga4", "delivered"), hop("ga4", "processed", "ok", 9)], (1, 0, 0, None)),
    Case("the last stage stands in where nothing was ever delivered", [hop("ga4", "queued", "ok", 7), hop("ga4", "processed", "ok", 5), hop("ga4", "processed", "retried", 3)], (5, 0, 0, None)),
    Case("an unknown stage comes after processed", [hop("ga4", "processed", "ok", 7), hop("ga4", "archived", "ok", 4)], (4, 0, 0, None)),
    Case("received stands in where nothing else is reported", [hop("", "received", "ok", 7), hop("", "received", "error", 2)], (9, 2, 0, 9)),
    Case("without an integration nothing stands in beside a delivering sibling", [hop("", "received", "ok", 7), hop("ga4", "delivered", "ok", 6)], (6, 0, 0, 7)),
    Case("without an integration nothing stands in beside one that never delivered", [hop("", "received", "ok", 7), hop("ga4", "processed", "ok", 6)], (6, 0, 0, 7)),
    Case("another source's deliveries do not keep a stage from standing in", [hop("", "received", "ok", 7), hop("ga4", "delivered", "ok", 6, source="ios")], (13, 0, 0, 7)),
    Case("a sibling keeps its last stage though another one delivers", [hop("s3", "processed", "ok", 7), hop("ga4", "delivered", "ok", 6)], (13, 0, 0, None)),
    Case("delivered without an integration is delivered", [hop("", "received", "ok", 7), hop("", "delivered", "ok", 6)], (6, 0, 0, 7)),
    Case("a filter counts its own", [hop("ga4", "delivered", "ok", 2), hop("s3", "delivered", "ok", 3)], (3, 0, 0, None), Filters(integration="s3")),
    Case("a filter does not make a sibling forgotten", [hop("", "received", "ok", 7, pipeline="a"), hop("ga4", "delivered", "ok", 3, pipeline="b")], (0, 0, 0, 7), Filters(pipeline="a")),
    Case("counts of one series and time stamp add up", [hop("ga4", "delivered", "ok", 2), hop("ga4", "delivered", "ok", 3)], (5, 0, 0, None)),
    Case("the unknown outcome is neither good nor bad", [hop("ga4", "delivered", "odd", 2)], (2, 0, 0, None)),
]
# fmt: on


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_ends(store: Store, case: Case) -> None:
    found = stored(store, *case.rows).overview(*HOUR, case.filters)
    assert (found.messages, found.errors, found.filtered, found.received) == case.expected


def test_a_flow_that_once_delivered_never_has_a_stage_stand_in_for_it(store: Store) -> None:
    stored(store, hop("ga4", "delivered", at=NOW - 86_400), hop("ga4", "processed", "ok", 5))
    assert store.overview(*HOUR, ALL).messages == 0


def test_a_new_flow_whose_last_stage_stands_in_is_counted_at_once(store: Store) -> None:
    stored(store, hop("ga4", "delivered", "ok", 6))
    assert store.overview(*HOUR, ALL).messages == 6
    stored(store, hop("s3", "processed", "ok", 7))
    assert store.overview(*HOUR, ALL).messages == 13
    stored(store, hop("s3", "delivered", "ok", 2))
    assert store.overview(*HOUR, ALL).messages == 8


def test_ratios_are_of_good_and_bad_ends_only(store: Store) -> None:
    stored(
        store,
        hop("a", "delivered", "ok", 6),
        hop("a", "delivered", "error", 2),
        hop("a", "delivered", "filtered", 100),
    )
    found = store.overview(*HOUR, ALL)
    assert (found.success_ratio, found.error_ratio) == (0.75, 0.25)
    assert found.messages_per_second == 108 / 3600


def test_nothing_is_known_of_a_time_in_which_nobody_was_seen(store: Store) -> None:
    stored(store, hop("ga4", "delivered"))
    found = store.overview(NOW - 7200, NOW - 3600, ALL)
    unknown = (
        found.messages,
        found.errors,
        found.filtered,
        found.received,
        found.success_ratio,
        found.messages_per_second,
        found.latency.p50_s,
        found.queue.backlog,
    )
    assert unknown == (None,) * 8


def test_zero_is_known_of_one_who_was_quiet_while_others_were_seen(store: Store) -> None:
    stored(store, hop("ga4", "delivered"), hop("", "received", at=NOW - 7200, tenant="quiet"))
    found = store.overview(*HOUR, Filters(tenant="quiet"))
    assert (found.messages, found.errors, found.received) == (0, 0, 0)
    assert found.success_ratio is None


def test_a_queue_line_is_enough_to_have_seen_the_time(store: Store) -> None:
    stored(store, queue=({"queue": "q", "backlog": 1.0},))
    assert store.overview(*HOUR, ALL).messages == 0


def test_what_our_own_collectors_saw_says_nothing_of_messages(store: Store) -> None:
    stored(store, hop("ga4", "delivered", at=NOW - 7200))
    found = collected(store, {"queue": "q", "backlog": 1.0}).overview(*HOUR, ALL)
    assert (found.messages, found.queue.backlog) == (None, 1.0)
    told = store.timeseries("messages", NOW - 7200, NOW + 60, 3660, [], ALL)
    assert [list(series.values) for series in told.series] == [[1.0, None, None]]


def test_with_queues_alone_collectors_tell_what_was_seen(store: Store) -> None:
    found = collected(store, {"queue": "q", "backlog": 1.0}).overview(*HOUR, ALL)
    assert (found.messages, found.queue.backlog) == (0, 1.0)


EDGES = [
    ("the whole minute", 0.0, 60.0, 4),
    ("the first instant belongs to a range", 0.0, 1.0, 1),
    ("the last instant does not", 0.0, 30.0, 1),
    ("just past an instant", 0.000001, 30.0, 0),
    ("ragged at both ends", 30.0, 119.5, 4),
    ("ragged inside one minute", 30.0, 45.0, 1),
    ("over a minute's border but no whole one", 59.0, 61.0, 3),
    ("a minute and ragged ends", 59.5, 120.5, 3),
    ("nothing", 10.0, 10.0, 0),
]


@pytest.mark.parametrize(("what", "low", "high", "expected"), EDGES, ids=[e[0] for e in EDGES])
def test_ranges_are_exact(store: Store, what: str, low: float, high: float, expected: int) -> None:
    at = (0.0, 30.0, 59.0, 59.999, 60.0, 120.0)
    stored(store, *(hop("ga4", "delivered", at=NOW + offset) for offset in at))
    found = store.overview(NOW + low, NOW + high, ALL)
    assert (found.messages or 0) == expected


def test_late_lines_count_in_their_own_minutes(store: Store) -> None:
    stored(store, hop("a", "delivered", at=5.0), hop("a", "delivered", at=NOW - 40 * 86_400))
    assert store.overview(0, 60, ALL).messages == 1
    assert store.overview(NOW - 40 * 86_400, NOW - 40 * 86_400 + 60, ALL).messages == 1
    assert store.overview(*HOUR, ALL).messages is None


def overview_of(store: Store, filters: Filters = ALL, high: float = 3600) -> Overview:
    return store.overview(NOW, NOW + high, filters)


QUEUE = {"queue": "q", "backlog": 7.0, "oldest_age_s": 3.0}


def test_the_backlog_is_the_sum_of_the_last_values(store: Store) -> None:
    stored(
        store,
        queue=(
            QUEUE,
            {"queue": "q", "backlog": 4.0, "at": NOW + 61},
            {"queue": "r", "backlog": 5.0, "oldest_age_s": 9.0},
        ),
    )
    found = overview_of(store).queue
    assert (found.backlog, found.oldest_age_s) == (9.0, 9.0)
    assert overview_of(store, high=61).queue.backlog == 12.0
    assert overview_of(store, high=61.001).queue.backlog == 9.0


def test_the_later_acknowledged_value_of_one_time_stamp_wins_field_by_field(store: Store) -> None:
    stored(store, queue=({"queue": "q", "backlog": 9.0}, QUEUE))
    stored(store, queue=({"queue": "q", "backlog": 2.0},))
    for high in (3600, 30):
        found = overview_of(store, high=high).queue
        assert (found.backlog, found.oldest_age_s) == (2.0, 3.0)


def test_a_queue_that_has_ended_is_unknown_until_it_comes_again(store: Store) -> None:
    told: list[Row] = [
        {"queue": "gone", "backlog": 5.0, "oldest_age_s": 9.0, "in_total": 3.0},
        {"queue": "gone", "at": NOW + 90, "backlog": ENDED, "oldest_age_s": ENDED},
        {"queue": "there", "at": NOW + 30, "backlog": 7.0},
    ]
    found = overview_of(stored(store, queue=tuple(told))).queue
    assert (found.backlog, found.oldest_age_s) == (7.0, None)
    assert overview_of(store, high=60).queue.backlog == 12.0, "until then it was known"
    series = store.timeseries("backlog", NOW, NOW + 180, 60, ["queue"], ALL).series
    assert {one.labels["queue"]: list(one.values) for one in series} == {
        "gone": [5.0, None, None],
        "there": [7.0, None, None],
    }
    delta = store.take()
    assert delta is not None
    backlogs = {(r["queue"], r["minute"] % 60): r["backlog"] for r in delta.queues.to_pylist()}
    assert backlogs == {("gone", 0): 5.0, ("gone", 1): None, ("there", 0): 7.0}
    stored(store, queue=({"queue": "gone", "at": NOW + 150, "backlog": 1.0},))
    assert overview_of(store).queue.backlog == 8.0


def test_a_late_queue_line_does_not_replace_a_newer_one(store: Store) -> None:
    stored(store, queue=({"queue": "q", "backlog": 1.0, "at": NOW + 30},))
    stored(store, queue=({"queue": "q", "backlog": 8.0, "at": NOW + 10},))
    assert overview_of(store).queue.backlog == 1.0


def test_queues_know_no_source(store: Store) -> None:
    stored(store, queue=({**QUEUE, "tenant": "acme"}, {"queue": "shared", "backlog": 1.0}))
    assert overview_of(store, Filters(tenant="acme")).queue.backlog == 7.0
    assert overview_of(store, Filters(source="web")).queue.backlog is None


DRAINS = [
    ("by its totals", [(0, 100, 0, 0), (60, 40, 60, 120)], 40.0),
    ("by its slope where totals are missing", [(0, 100, None, None), (60, 40, None, None)], 40.0),
    ("by its slope where totals were reset", [(0, 100, 900, 900), (60, 40, 1, 2)], 40.0),
    ("never while it grows", [(0, 10, 0, 0), (60, 70, 120, 60)], None),
    ("unknown from one value", [(0, 10, 0, 0)], None),
    ("nothing to drain", [(0, 10, 0, 0), (60, 0, 0, 10)], None),
]


@pytest.mark.parametrize(("what", "told", "expected"), DRAINS, ids=[drain[0] for drain in DRAINS])
def test_when_a_queue_will_be_empty(
    store: Store, what: str, told: list[tuple[float, float, float, float]], expected: float | None
) -> None:
    names = ("at", "backlog", "in_total", "out_total")
    rows = [dict(zip(names, row, strict=True)) for row in told]
    stored(store, queue=tuple({"queue": "q", **row, "at": NOW + row["at"]} for row in rows))
    eta = overview_of(store).queue.drain_eta_s
    assert eta == (pytest.approx(expected) if expected is not None else None)


def test_capacity_is_the_most_delivered_in_a_minute_while_a_backlog_waited(store: Store) -> None:
    rows = [hop("a", "delivered", "ok", n, at=NOW + 60 * m) for m, n in enumerate((600, 900, 1200))]
    waiting = [(0, 3.0), (60, 5.0), (120, 2.0), (150, 0.0)]
    queue = tuple({"queue": "q", "backlog": n, "at": NOW + at} for at, n in waiting)
    stored(store, *rows, hop("a", "delivered", "error", 999, at=NOW + 60), queue=queue)
    found = overview_of(store, high=60).capacity
    assert found.messages_per_second == 10.0
    assert found.utilization_ratio == pytest.approx(1.0)
    assert overview_of(store).capacity.messages_per_second == 15.0, "the third minute ran empty"
    assert (
        store.overview(NOW + 8 * 86_400, NOW + 9 * 86_400, ALL).capacity.messages_per_second is None
    )


def test_capacity_sees_what_comes_late_into_hours_that_were_looked_through(store: Store) -> None:
    past = NOW - 7200
    waiting = tuple({"queue": "q", "backlog": 5.0, "at": past + at} for at in (0, 60))
    stored(store, hop("a", "processed", "ok", 600, at=past), queue=waiting)
    assert overview_of(store).capacity.messages_per_second == 10.0
    assert overview_of(store).capacity.messages_per_second == 10.0, "remembered"
    stored(store, hop("a", "processed", "ok", 300, at=past))
    assert overview_of(store).capacity.messages_per_second == 15.0
    stored(store, hop("a", "delivered", "ok", 60, at=past))
    assert overview_of(store).capacity.messages_per_second == 1.0, "processed is no end any more"
    later = store.overview(NOW + 7 * 86_400, NOW + 7 * 86_400 + 60, ALL).capacity
    assert later.messages_per_second is None, "more than a week ago"


def test_capacity_is_unknown_where_no_backlog_ever_waited(store: Store) -> None:
    stored(store, hop("a", "delivered", "ok", 600), queue=({"queue": "q", "backlog": 0.0},))
    capacity = overview_of(store).capacity
    assert (capacity.messages_per_second, capacity.utilization_ratio) == (None, None)


def test_latency_is_that_of_ends_and_weighs_by_count(store: Store) -> None:
    stored(
        store,
        hop("a", "delivered", "ok", 98, latency_s=0.1, queue_s=0.01),
        hop("a", "delivered", "ok", 2, latency_s=5.0),
        hop("a", "processed", "ok", 1000, latency_s=77.0, queue_s=2.0),
        hop("a", "delivered", "ok", 1000),
    )
    for high in (3600, 30):  # from the rollup, and from raw rows
        found = overview_of(store, high=high)
        assert found.latency.p50_s == pytest.approx(0.1, rel=0.011)
        assert found.latency.p90_s == pytest.approx(0.1, rel=0.011)
        assert found.latency.p99_s == pytest.approx(5.0, rel=0.011)
        assert found.queue.wait.p50_s == pytest.approx(2.0, rel=0.011)


def test_latency_of_zero_is_told_as_zero(store: Store) -> None:
    stored(store, hop("a", "delivered", latency_s=0.0))
    assert overview_of(store).latency.p50_s == 0.0
