"""Charts: steps, gaps and labels, on the real engine."""

from __future__ import annotations

import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.errors import PayloadError
from streamgauge.model.views import Filters
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
ALL = Filters()


@pytest.fixture
def filled(store: Store) -> Store:
    def hop(at: float, integration: str, outcome: str, count: int, **more: object) -> Row:
        tags = {"tenant": "acme", "source": "web", "integration": integration, "outcome": outcome}
        return {"at": NOW + at, **tags, "count": count, **more}

    rows = [
        hop(0, "ga4", "ok", 6, latency_s=0.1, bytes=10),
        hop(59, "ga4", "error", 2, latency_s=0.1, bytes=5),
        hop(60, "s3", "ok", 4, queue_s=3.0),
        hop(150, "ga4", "ok", 1, latency_s=9.0),
        hop(150, "ga4", "retried", 50),
    ]
    queue = [
        {"at": NOW + 5, "queue": "a", "backlog": 5.0, "oldest_age_s": 1.0},
        {"at": NOW + 50, "queue": "a", "backlog": 3.0},
        {"at": NOW + 55, "queue": "b", "backlog": 4.0, "oldest_age_s": 7.0},
    ]
    points = [{"at": NOW + 250, "measurement": "cpu", "field": "busy", "value": 1.0}]
    store.write(body(rows, queue, points), None, NOW)
    assert store.flush(30)
    return store


SERIES = [
    ("messages", 60, [8, 4, 1, None, 0, None]),
    ("errors", 60, [2, 0, 0, None, 0, None]),
    ("bytes", 60, [15, 0, 0, None, 0, None]),
    ("received", 60, [0, 0, 0, None, 0, None]),
    ("error_ratio", 60, [0.25, 0, 0, None, None, None]),
    ("latency_p50", 60, [0.1, None, 9.0, None, None, None]),
    ("wait_p99", 60, [None, 3.0, None, None, None, None]),
    ("backlog", 60, [7, None, None, None, None, None]),
    ("oldest_age", 60, [7, None, None, None, None, None]),
    ("messages", 120, [12, 1, 0]),
    ("messages", 30, [6, 2, 4, 0, 0, 1, None, None, 0, 0, None, None]),
    ("backlog", 30, [5, 7, *[None] * 10]),
]


@pytest.mark.parametrize(("metric", "step", "values"), SERIES)
def test_a_metric_per_step(
    filled: Store, metric: str, step: float, values: list[float | None]
) -> None:
    found = filled.timeseries(metric, NOW, NOW + 360, step, [], ALL)
    assert list(found.timestamps) == [NOW + step * number for number in range(len(values))]
    (series,) = found.series
    assert series.labels == {}
    told = [pytest.approx(value, rel=0.011) if value is not None else None for value in values]
    assert list(series.values) == told


def test_a_series_for_each_combination_of_labels(filled: Store) -> None:
    found = filled.timeseries("messages", NOW, NOW + 180, 60, ["integration", "outcome"], ALL)
    assert {tuple(series.labels.values()): list(series.values) for series in found.series} == {
        ("ga4", "error"): [2, 0, 0],
        ("ga4", "ok"): [6, 0, 1],
        ("ga4", "retried"): [0, 0, 0],
        ("s3", "ok"): [0, 4, 0],
    }


def test_backlog_by_queue(filled: Store) -> None:
    found = filled.timeseries("backlog", NOW, NOW + 60, 60, ["queue"], ALL)
    told = {series.labels["queue"]: list(series.values) for series in found.series}
    assert told == {"a": [3], "b": [4]}


@pytest.mark.parametrize("by", [[], ["integration"]])
@pytest.mark.parametrize(
    "metrics",
    [("latency_p50", "latency_p90", "latency_p99"), ("messages", "error_ratio", "wait_p99"),
     ("backlog", "oldest_age")],
)  # fmt: skip
def test_several_metrics_at_once_are_what_each_of_them_is_alone(
    filled: Store, metrics: tuple[str, ...], by: list[str]
) -> None:
    found = filled.timeseries(",".join(metrics), NOW, NOW + 360, 60, by, ALL)
    alone = [
        ({"metric": metric, **series.labels}, list(series.values))
        for metric in metrics
        for series in filled.timeseries(metric, NOW, NOW + 360, 60, by, ALL).series
    ]
    assert [(dict(series.labels), list(series.values)) for series in found.series] == alone


def test_filters_hold_and_queues_know_no_source(filled: Store) -> None:
    only_s3 = filled.timeseries("messages", NOW, NOW + 120, 60, [], Filters(integration="s3"))
    assert list(only_s3.series[0].values) == [0, 4]
    by_source = filled.timeseries("backlog", NOW, NOW + 60, 60, [], Filters(source="web"))
    assert list(by_source.series[0].values) == [None]


def test_ragged_ends_hold_only_what_is_in_the_range(filled: Store) -> None:
    found = filled.timeseries("messages", NOW + 30, NOW + 150, 60, [], ALL)
    assert list(found.timestamps) == [NOW, NOW + 60, NOW + 120]
    assert list(found.series[0].values) == [2, 4, 0]


REFUSED = [
    ("an unknown metric", "speed", 60.0, [], "latency_p99"),
    ("an unknown one of several", "messages,speed", 60.0, [], "latency_p99"),
    ("messages and queues at once", "messages,backlog", 60.0, [], "ask twice"),
    ("an unknown label", "messages", 60.0, ["stage"], "accepts tenant, source"),
    ("a label of queues", "messages", 60.0, ["queue"], "accepts tenant, source"),
    ("a label that queues lack", "backlog", 60.0, ["source"], "accepts queue, tenant"),
    ("too many steps", "messages", 0.01, [], "limit 11000"),
    ("no step", "messages", 0.0, [], "step"),
    ("a step that is no number", "messages", float("nan"), [], "step"),
]


@pytest.mark.parametrize(
    ("what", "metric", "step", "by", "named"), REFUSED, ids=[case[0] for case in REFUSED]
)
def test_refused(
    store: Store, what: str, metric: str, step: float, by: list[str], named: str
) -> None:
    with pytest.raises(PayloadError, match=named):
        store.timeseries(metric, NOW, NOW + 360, step, by, ALL)


def test_values_of_callers_are_values_and_never_sql(filled: Store) -> None:
    wicked = Filters(tenant="' OR 1 = 1; DROP TABLE minute --\\")
    assert filled.overview(NOW, NOW + 90, wicked).messages == 0
    assert filled.overview(NOW, NOW + 90, ALL).messages == 12
