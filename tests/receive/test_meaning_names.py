"""Which names, attributes and units are understood, and what rules make of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamgauge.app.configuration import load
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.influx.series import MESSAGES_TAGS
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.lineturn import LineMap
from streamgauge.receive.meaning.metering import MeaningSettings, Metering
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.proposals import propose
from streamgauge.receive.meaning.reading import Manner, Reading, read_series
from streamgauge.receive.meaning.rules import MapRule
from streamgauge.receive.measured import Form, Measured, Numbers, Series
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000
CLOCK = SimulatedClock(NOW)
PLAIN = Manner("db")
DELTA, GAUGE, RISES = Form.DELTA, Form.GAUGE, Form.CUMULATIVE


def reading(
    name: str,
    labels: dict[str, str] | None = None,
    form: Form = RISES,
    unit: str = "",
    rules: list[MapRule] | None = None,
    manner: Manner = PLAIN,
) -> Reading:
    series = Series(name, tuple(sorted((labels or {}).items())), form, unit)
    return read_series(series, rules or [], manner)


def flow(read: Reading) -> dict[str, str]:
    return {name: word for name, word in zip(MESSAGES_TAGS, read.words, strict=True) if word}


NUMBERS = [
    ("messages", RISES, Target.COUNT),
    ("messages", DELTA, Target.COUNT),
    ("messages", GAUGE, Target.POINT),
    ("messages_total", GAUGE, Target.COUNT),
    ("message_bytes_total", RISES, Target.BYTES),
    ("queue.backlog", GAUGE, Target.BACKLOG),
    ("queue_backlog", GAUGE, Target.BACKLOG),
    ("queue_backlog", RISES, Target.BACKLOG),
    ("queue.oldest_age", GAUGE, Target.OLDEST_AGE),
    ("queue_oldest_age_seconds", GAUGE, Target.OLDEST_AGE),
    ("queue.in", RISES, Target.IN_TOTAL),
    ("queue_in_total", GAUGE, Target.IN_TOTAL),
    ("queue_out_total", RISES, Target.OUT_TOTAL),
    ("queue.consumers", GAUGE, Target.CONSUMERS),
    ("queue.in_flight", GAUGE, Target.IN_FLIGHT),
    ("messaging.client.sent.messages", RISES, Target.COUNT),
    ("messaging_client_sent_messages_total", GAUGE, Target.COUNT),
    ("message_latency_seconds_count", RISES, Target.DROPPED),
    ("message_latency_seconds_sum", RISES, Target.DROPPED),
    ("messaging_process_duration_seconds_created", GAUGE, Target.DROPPED),
    ("http_duration_seconds_count", RISES, Target.POINT),
    ("message_latency_seconds", GAUGE, Target.POINT),
    ("up", GAUGE, Target.POINT),
    ("my_messages_total", RISES, Target.POINT),
]


@pytest.mark.parametrize(("name", "form", "target"), NUMBERS)
def test_what_a_number_is_by_its_name(name: str, form: Form, target: Target) -> None:
    assert reading(name, form=form).target is target


@pytest.mark.parametrize(
    ("name", "form", "target"),
    [
        ("message.latency", DELTA, Target.LATENCY),
        ("message.queue_time", RISES, Target.QUEUE_TIME),
        ("messaging.process.duration", RISES, Target.LATENCY),
        ("message.latency", GAUGE, Target.POINT),
        ("messages", DELTA, Target.POINT),
        ("http.server.request.duration", RISES, Target.POINT),
    ],
)
def test_what_a_histogram_is_by_its_name(name: str, form: Form, target: Target) -> None:
    assert reading(name, form=form, manner=Manner("db", is_histogram=True)).target is target


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("messaging.client.sent.messages", "queued"),
        ("messaging.client.published.messages", "queued"),
        ("messaging.publish.messages", "queued"),
        ("messaging.client.consumed.messages", "received"),
        ("messaging.receive.messages", "received"),
        ("messaging.process.messages", "processed"),
        ("messaging_process_messages_total", "processed"),
    ],
)
def test_the_stage_of_opentelemetrys_counters(name: str, stage: str) -> None:
    assert flow(reading(name))["stage"] == stage


@pytest.mark.parametrize(
    ("operation", "expected"),
    [("send", "queued"), ("receive", "received"), ("process", "processed"), ("settle", None)],
)
def test_the_stage_of_an_operation(operation: str, expected: str | None) -> None:
    labels = {"messaging.operation.type": operation}
    manner = Manner("db", is_histogram=True)
    read = reading("messaging.client.operation.duration", labels, manner=manner)
    if expected is None:
        assert read.target is Target.POINT
    else:
        assert flow(read)["stage"] == expected


@pytest.mark.parametrize("dot", [".", "_"], ids=["dotted", "as Prometheus writes them"])
def test_attributes_of_the_conventions_become_tags(dot: str) -> None:
    labels = {
        f"messaging{dot}destination{dot}name": "orders",
        f"messaging{dot}system": "kafka",
        f"error{dot}type": "timeout",
        f"service{dot}name": "worker",
        f"service{dot}instance{dot}id": "w-1",
        f"service{dot}version": "1.2",
        "tenant": "acme",
    }
    name = f"messaging{dot}client{dot}consumed{dot}messages"
    assert flow(reading(name, labels)) == {
        "tenant": "acme",
        "pipeline": "orders",
        "stage": "received",
        "outcome": "error",
        "reason": "timeout",
        "router": "w-1",
        "version": "1.2",
        "tags": f"messaging{dot}system=kafka,service{dot}name=worker",
    }


def test_our_own_labels_are_tags_as_they_are_and_the_rest_stays() -> None:
    labels = {
        "tenant": "acme",
        "source": "web",
        "integration": "ga4",
        "pipeline": "main",
        "stage": "received",
        "outcome": "dropped",
        "reason": "full",
        "instance": "r:1",
        "job": "routers",
    }
    assert flow(reading("messages_total", labels)) == {
        **{name: value for name, value in labels.items() if name not in {"instance", "job"}},
        "router": "r:1",
        "tags": "job=routers",
    }
    assert flow(reading("messages_total")) == {
        "tenant": "default",
        "stage": "delivered",
        "outcome": "ok",
    }


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("queue.oldest_age", "s", 1),
        ("queue.oldest_age", "ms", 1e-3),
        ("queue.oldest_age", "us", 1e-6),
        ("queue.oldest_age", "ns", 1e-9),
        ("queue.oldest_age", "min", 60),
        ("queue.oldest_age", "", 1),
        ("queue_oldest_age_milliseconds", "", 1e-3),
        ("queue_oldest_age_seconds", "", 1),
        ("queue.backlog", "{message}", 1),
        ("queue.backlog", "ms", 1),
    ],
)
def test_units_become_seconds(name: str, unit: str, factor: float) -> None:
    assert reading(name, form=GAUGE, unit=unit).factor == factor


# -- [[map]] ------------------------------------------------------------------------------------


def rules_of(toml: str, tmp_path: Path) -> list[MapRule]:
    path = tmp_path / "map.toml"
    path.write_text(toml)
    return [one.rule(number) for number, one in enumerate(load(path, {}).map, start=1)]


HTTP = """
[[map]]
metric = "http_requests_total"
where = { job = "router-*" }
to = "messages"
rename = { customer = "tenant", route = "pipeline" }
set = { stage = "received", source = "{site}-{device}" }
drop_tags = ["pod"]
derive.outcome = { of = "code", values = { "5.." = "error", "2..|3.." = "ok" } }
"""


def test_a_rule_renames_sets_drops_and_derives(tmp_path: Path) -> None:
    labels = {
        "job": "router-eu",
        "customer": "acme",
        "route": "main",
        "pod": "p-1",
        "code": "503",
        "site": "shop",
        "device": "ios",
    }
    read = reading("http_requests_total", labels, rules=rules_of(HTTP, tmp_path))
    assert read.target is Target.COUNT
    assert flow(read) == {
        "tenant": "acme",
        "source": "shop-ios",
        "pipeline": "main",
        "stage": "received",
        "outcome": "error",
        "router": "router-eu",
        "tags": "code=503,device=ios,site=shop",
    }
    other = reading("http_requests_total", {**labels, "job": "db"}, rules=rules_of(HTTP, tmp_path))
    assert (other.target, other.rule) == (Target.POINT, None)


@pytest.mark.parametrize(
    ("metric", "name", "is_met"),
    [
        ("kafka_*_lag", "kafka_consumergroup_lag", True),
        ("kafka_*_lag", "kafka_consumergroup_lag_sum", False),
        ("/kafka_(a|b)/", "kafka_b", True),
        ("/kafka_(a|b)/", "kafka_bc", False),
        ("router.sent", "router.sent", True),
        ("router_sent", "router.sent", True),
        ("send_time_seconds", "send_time_seconds_bucket", True),
    ],
)
def test_which_names_a_rule_fits(metric: str, name: str, is_met: bool, tmp_path: Path) -> None:
    rules = rules_of(f'[[map]]\nmetric = "{metric}"\nset.a = "b"', tmp_path)
    assert (reading(name, rules=rules).rule is not None) is is_met


def test_the_first_rule_that_fits_decides(tmp_path: Path) -> None:
    toml = '[[map]]\nmetric = "a"\ndrop = true\n[[map]]\nmetric = "*"\nto = "messages"'
    rules = rules_of(toml, tmp_path)
    assert reading("a", rules=rules).target is Target.DROPPED
    assert reading("b", rules=rules).target is Target.COUNT


@pytest.mark.parametrize("name", ["took_seconds_count", "took_seconds_sum", "took_seconds_created"])
def test_the_other_series_of_a_mapped_histogram_stay_points(name: str, tmp_path: Path) -> None:
    rules = rules_of('[[map]]\nmetric = "took_seconds*"\nto = "message.latency"', tmp_path)
    bucket = reading("took_seconds_bucket", {"le": "0.5"}, rules=rules)
    assert (bucket.target, bucket.upper) == (Target.LATENCY, 0.5)
    assert reading(name, form=GAUGE, rules=rules).target is Target.POINT
    assert reading(name, form=RISES, rules=rules).target is Target.POINT


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('metric = "x"', "at least one of `to`"),
        ('metric = "x"\nto = "message"', "did you mean `messages`"),
        ('metric = "/(/"\nto = "messages"', "regular expression between slashes"),
        ('metric = "x"\ndrop = true\nto = "messages"', "leaves nothing"),
        ('metric = "x"\nto = "messages"\nscale = 0', "map.1.scale"),
        ('metric = "x"\nto = "messages"\ntags = {}', "unknown key `map.1.tags`"),
        ('metric = "x"\nderive.a = { of = "b", values = { "(" = "c" } }', "regular expression"),
    ],
)
def test_a_rule_that_cannot_be_used_is_told(toml: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told.replace("(", r"\(")):
        rules_of(f"[[map]]\n{toml}", tmp_path)


# -- line protocol ------------------------------------------------------------------------------


class Lines:
    def __init__(self, rules: list[MapRule], folder: Path | None = None) -> None:
        self.sink = MemorySink()
        self.intake = workshop_of(self.sink, CLOCK).intake
        self.metering = Metering(self.intake, MeaningSettings(folder, rules=rules))
        self.metering.open()

    def send(self, text: str) -> None:
        body = text.encode()
        received = NOW * 10**9

        def read(admission: Any) -> Any:
            return parse(body, precision="s", db="telegraf", received_at_ns=received)

        self.metering.take_lines(Origin("/write"), body, read)

    def rows(self, table: str) -> list[dict[str, Any]]:
        tables = (getattr(body.batch, table) for body in self.sink.bodies)
        return [row for one in tables if one is not None for row in one.to_pylist()]


RABBIT = """
[[map]]
metric = "rabbitmq_queue_messages_ready"
to = "queue.backlog"
[[map]]
metric = "rabbitmq_queue_deliver"
to = "messages"
form = "counter"
[[map]]
metric = "statsd_sent"
to = "messages"
rename = { customer = "tenant" }
[[map]]
metric = "statsd_took_ms"
to = "message.latency"
[[map]]
metric = "noise_*"
drop = true
"""


def test_points_of_lines_become_queues_and_messages(tmp_path: Path) -> None:
    lines = Lines(rules_of(RABBIT, tmp_path))
    t = NOW - 100
    lines.send(
        f"rabbitmq_queue,queue=q\\ 1 messages_ready=7i,deliver=100i,memory=5i {t}\n"
        f"statsd,customer=acme sent=3,took_ms=250 {t}\n"
        f"noise,a=b x=1 {t}\n"
        f"messages,tenant=beta count=2i {t}\n"
    )
    lines.send(f"rabbitmq_queue,queue=q\\ 1 deliver=104i {t + 10}")
    assert [(row["queue"], row["backlog"]) for row in lines.rows("queue")] == [("q 1", 7)]
    assert sorted((row["tenant"], row["count"]) for row in lines.rows("messages")) == [
        ("acme", 3),
        ("beta", 2),
        ("default", 4),
    ]
    assert [(row["latency_s"], row["count"]) for row in lines.rows("durations")] == [(0.25, 1)]
    assert [(row["measurement"], row["field"]) for row in lines.rows("points")] == [
        ("rabbitmq_queue", "memory")
    ]


def test_a_retried_body_of_lines_counts_once(tmp_path: Path) -> None:
    lines = Lines(rules_of(RABBIT, tmp_path))
    for stamp, count in ((1, 5), (2, 8), (2, 8), (3, 9)):
        lines.send(f"rabbitmq_queue,queue=q deliver={count}i {NOW - 100 + stamp}")
    assert sum(row["count"] for row in lines.rows("messages")) == 4


def test_a_replay_follows_the_rules_too(tmp_path: Path) -> None:
    lines = LineMap(rules_of(RABBIT, tmp_path))
    found = []
    for stamp, count in ((1, 5), (2, 8), (3, 9)):
        body = f"rabbitmq_queue,queue=q deliver={count}i {stamp}".encode()
        parsed = parse(body, precision="s", db="replay", received_at_ns=-1, max_ahead_s=1e30)
        found += lines.mapped(parsed).batch.messages.to_pylist()
    assert [(row["time_ns"] // 10**9, row["count"]) for row in found] == [(2, 3), (3, 1)]


# -- what is not understood ---------------------------------------------------------------------


def metrics_of(name: str, labels: dict[str, str]) -> Measured:
    series = Series(name, tuple(sorted(labels.items())), Form.CUMULATIVE)
    one = np.array([NOW * 10**9])
    return Measured(Numbers([series], np.zeros(1, np.int32), one, one * 0, np.ones(1)))


def test_what_looks_like_messages_is_remembered_over_restarts_until_a_rule_names_it(
    tmp_path: Path,
) -> None:
    first = Lines([], tmp_path)
    for name, labels in (
        ("acme_messages_sent_total", {"customer": "a"}),
        ("acme_messages_sent_total", {"customer": "b"}),
        ("go_goroutines", {}),
        ("messages_total", {}),
    ):
        origin = Origin("/any", idempotency_key=f"{name}{labels}")
        first.metering.take(origin, b"", metrics_of(name, labels), db="p")
    first.send(f"activemq_queue,name=q depth=5i {NOW}")
    second = Lines([], tmp_path)
    found = {one.name: one for one in second.metering.strangers.list_unmapped()}
    assert set(found) == {"acme_messages_sent_total", "activemq_queue_depth"}
    assert found["acme_messages_sent_total"].series_count >= 1
    assert found["acme_messages_sent_total"].samples[0] == {"customer": "a"}
    assert found["activemq_queue_depth"].way == "line protocol"
    rules = rules_of(found["acme_messages_sent_total"].proposal, tmp_path)
    third = Lines(rules, tmp_path)
    assert [one.name for one in third.metering.strangers.list_unmapped()] == [
        "activemq_queue_depth"
    ]


@pytest.mark.parametrize(
    ("name", "labels", "wanted"),
    [
        (
            "app_messages_failed_total",
            ["customer"],
            ['to = "messages"', 'customer = "tenant"', 'outcome = "error"'],
        ),
        ("kafka_consumergroup_lag", ["topic"], ['to = "queue.backlog"', 'topic = "queue"']),
        ("app.events.published", [], ['to = "messages"', 'stage = "queued"']),
        ("queue_oldest_message_age_ms", [], ['to = "queue.oldest_age"']),
        (
            "delivery_duration_seconds",
            ["destination"],
            ['to = "message.latency"', 'destination = "integration"'],
        ),
    ],
)
def test_a_proposal_can_be_pasted_and_makes_sense(
    name: str, labels: list[str], wanted: list[str], tmp_path: Path
) -> None:
    toml = propose(name, labels)
    for part in wanted:
        assert part in toml
    (rule,) = rules_of(toml, tmp_path)
    assert rule.fits(name, {})


@pytest.mark.parametrize(
    ("name", "is_strange"),
    [("orders_messages_total", True), ("streamgauge_lag_messages", False), ("cpu_seconds", False)],
)
def test_what_looks_like_messages_and_is_not_our_own_is_strange(
    name: str, is_strange: bool
) -> None:
    assert reading(name).is_strange is is_strange
