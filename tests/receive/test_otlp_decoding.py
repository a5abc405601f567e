"""OTLP's protobuf and JSON, against a naive reading by protobuf's own library."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import hypothesis.strategies as st
import pytest
from google.protobuf import json_format
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Request,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from tests.receive import otlp_reference

from streamgauge.model.errors import PayloadError
from streamgauge.receive.measured import Form
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.json_mapping import MAX_PARTS, to_protobuf
from streamgauge.receive.otlp.known import Memory
from streamgauge.receive.otlp.protobuf import Decoded, decode

NOW_NS = 1_800_000_000_000_000_000
SIZE = 20 if os.environ.get("STREAMGAUGE_NIGHTLY") else 1
CUMULATIVE, DELTA = pb.AGGREGATION_TEMPORALITY_CUMULATIVE, pb.AGGREGATION_TEMPORALITY_DELTA

WORDS = st.sampled_from(["", "a", "tenant", "é", "process.pid", "host.name", "k8s.pod.uid"])


def _array(values: list[AnyValue]) -> AnyValue:
    made = AnyValue()
    made.array_value.values.extend(values)
    return made


VALUES = st.recursive(
    st.one_of(
        st.builds(AnyValue, string_value=WORDS),
        st.builds(AnyValue, bool_value=st.booleans()),
        st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
        st.builds(AnyValue, double_value=st.floats()),
        st.builds(AnyValue, bytes_value=st.binary(max_size=4)),
        st.just(AnyValue()),
    ),
    lambda inner: st.lists(inner, max_size=2).map(_array),
    max_leaves=3,
)


PAIRS = st.builds(KeyValue, key=WORDS, value=VALUES)
ATTRIBUTES = st.lists(PAIRS, max_size=3)
STAMPS = st.one_of(
    st.just(NOW_NS), st.integers(0, 2**64 - 1), st.integers(NOW_NS, NOW_NS + 7_200 * 10**9)
)
COUNTS = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
COMMON = {
    "attributes": ATTRIBUTES,
    "start_time_unix_nano": STAMPS,
    "time_unix_nano": STAMPS,
    "flags": st.sampled_from([0, 0, 0, 1]),
}
NUMBERS = st.one_of(
    st.builds(pb.NumberDataPoint, as_double=st.floats(), **COMMON),
    st.builds(pb.NumberDataPoint, as_int=st.integers(-(2**63), 2**63 - 1), **COMMON),
    st.builds(pb.NumberDataPoint, **COMMON),
)


@st.composite
def explicit_points(draw: Any) -> pb.HistogramDataPoint:
    point = draw(st.builds(pb.HistogramDataPoint, count=COUNTS, **COMMON))
    counts = draw(st.lists(st.integers(0, 300), max_size=4))
    point.bucket_counts.extend(counts)
    is_right = draw(st.booleans())
    size = max(len(counts) - 1, 0) if is_right else draw(st.integers(0, 3))
    bounds = draw(st.lists(st.floats(), min_size=size, max_size=size, unique=True))
    point.explicit_bounds.extend(sorted(bounds) if is_right else bounds)
    if is_right and counts:
        point.count = sum(counts)
    if draw(st.booleans()):
        point.sum = draw(st.floats())
    return point


@st.composite
def exponential_points(draw: Any) -> pb.ExponentialHistogramDataPoint:
    point = draw(st.builds(pb.ExponentialHistogramDataPoint, count=COUNTS, **COMMON))
    point.scale = draw(st.integers(-12, 22))
    total = 0
    for buckets in (point.positive, point.negative):
        buckets.offset = draw(st.one_of(st.integers(-40, 40), st.integers(-(2**31), 2**31 - 1)))
        counts = draw(st.lists(st.sampled_from([0, 1, 127, 128, 300, 2**40]), max_size=4))
        buckets.bucket_counts.extend(counts)
        total += sum(counts)
    point.zero_count = draw(st.integers(0, 3))
    point.zero_threshold = draw(st.sampled_from([0.0, 0.5, -1.0, math.inf]))
    if draw(st.booleans()):
        point.count = total + point.zero_count
    return point


SUMMARIES = st.builds(
    pb.SummaryDataPoint,
    count=COUNTS,
    sum=st.floats(),
    quantile_values=st.lists(
        st.builds(
            pb.SummaryDataPoint.ValueAtQuantile,
            quantile=st.sampled_from([0.0, 0.5, 0.999, 1.0]),
            value=st.floats(),
        ),
        max_size=2,
    ),
    **COMMON,
)
TEMPORALITIES = st.sampled_from([0, DELTA, CUMULATIVE])


def _points(points: Any) -> Any:
    return st.lists(points, max_size=3)


METRICS = st.one_of(
    st.builds(pb.Metric, name=WORDS, gauge=st.builds(pb.Gauge, data_points=_points(NUMBERS))),
    st.builds(
        pb.Metric,
        name=WORDS,
        unit=WORDS,
        description=WORDS,
        sum=st.builds(
            pb.Sum,
            data_points=_points(NUMBERS),
            aggregation_temporality=TEMPORALITIES,
            is_monotonic=st.booleans(),
        ),
    ),
    st.builds(
        pb.Metric,
        name=WORDS,
        histogram=st.builds(
            pb.Histogram,
            data_points=_points(explicit_points()),
            aggregation_temporality=TEMPORALITIES,
        ),
    ),
    st.builds(
        pb.Metric,
        name=WORDS,
        exponential_histogram=st.builds(
            pb.ExponentialHistogram,
            data_points=_points(exponential_points()),
            aggregation_temporality=TEMPORALITIES,
        ),
    ),
    st.builds(pb.Metric, name=WORDS, summary=st.builds(pb.Summary, data_points=_points(SUMMARIES))),
    st.builds(pb.Metric, name=WORDS),
)


@st.composite
def requests(draw: Any) -> Request:
    request = Request()
    for _ in range(draw(st.integers(0, 2))):
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.extend(draw(ATTRIBUTES))
        for _ in range(draw(st.integers(0, 2))):
            of_scope = of_resource.scope_metrics.add()
            of_scope.scope.name, of_scope.scope.version = draw(WORDS), draw(WORDS)
            of_scope.scope.attributes.extend(draw(ATTRIBUTES))
            of_scope.metrics.extend(draw(st.lists(METRICS, max_size=2)))
    return request


def agree(body: bytes, memory: Memory) -> None:
    ours = decode(body, NOW_NS, memory)
    *told, refused = otlp_reference.read(body, NOW_NS)
    assert otlp_reference.as_read(ours.measured) == tuple(told)
    assert ours.refused_count == refused
    assert len(ours.refused) == min(refused, 100)
    series = [*ours.measured.numbers.series]
    assert len(set(series)) == len(series), "a series stands once"


REMEMBERING = Memory(max_entries=50)


@settings(max_examples=150 * SIZE, deadline=None)
@given(requests())
def test_protobuf_says_what_the_naive_reading_says(request: Request) -> None:
    body = request.SerializeToString()
    agree(body, REMEMBERING)
    agree(body + body, Memory())  # messages on the wire may be put behind each other


@settings(max_examples=250 * SIZE, deadline=None)
@given(requests(), st.data())
def test_damaged_protobuf_is_refused_or_read_alike(request: Request, data: Any) -> None:
    body = bytearray(request.SerializeToString())
    for _ in range(data.draw(st.integers(0, 3))):
        if body:
            at = data.draw(st.integers(0, len(body) - 1))
            body[at] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))]
    try:
        decode(bytes(body), NOW_NS, Memory())
    except PayloadError:
        return
    try:
        Request.FromString(bytes(body))
    except DecodeError:
        return  # in what is passed over
    agree(bytes(body), Memory())


@settings(max_examples=150 * SIZE, deadline=None)
@given(st.binary(max_size=60))
@example(b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
@example(b"\x0b\x0c")
def test_any_bytes_are_an_answer(body: bytes) -> None:
    with suppress(PayloadError):
        assert decode(body, NOW_NS, Memory()).measured.point_count == 0


@settings(max_examples=60 * SIZE, deadline=None)
@given(requests())
def test_json_says_what_protobuf_says(request: Request) -> None:
    text = json_format.MessageToJson(request, use_integers_for_enums=True)
    assert Request.FromString(to_protobuf(text.encode())) == request or "NaN" in text


JSON_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["resourceMetrics", "scopeMetrics", "metrics", "sum", "dataPoints", "asInt", "name",
                 "attributes", "key", "value", "timeUnixNano", "exemplars", "unknown"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150 * SIZE, deadline=None)
@given(st.one_of(JSON_VALUES.map(json.dumps).map(str.encode), st.binary(max_size=30)))
@example(b'{"resourceMetrics": [{"schemaUrl": "\\ud800"}]}')
@example(b"[" * 100_000)
@example(b'{"resourceMetrics":' * 100_000)
def test_any_json_is_an_answer(body: bytes) -> None:
    with suppress(PayloadError):
        Request.FromString(to_protobuf(body))


# -- one by one ------------------------------------------------------------------------------


def one(metric: pb.Metric, **resource: str) -> bytes:
    request = Request()
    of_resource = request.resource_metrics.add()
    for key, value in resource.items():
        of_resource.resource.attributes.add(key=key, value=AnyValue(string_value=value))
    of_resource.scope_metrics.add().metrics.append(metric)
    return request.SerializeToString()


def _state() -> pb.Metric:
    metric = pb.Metric(name="m")
    metric.gauge.data_points.add(time_unix_nano=NOW_NS, as_int=1)
    return metric


def read(metric: pb.Metric) -> Decoded:
    return decode(one(metric), NOW_NS, Memory())


@pytest.mark.parametrize(
    ("temporality", "is_monotonic", "form"),
    [
        pytest.param(DELTA, True, Form.DELTA, id="a delta adds up"),
        pytest.param(CUMULATIVE, True, Form.CUMULATIVE, id="what only rises is a counter"),
        pytest.param(CUMULATIVE, False, Form.GAUGE, id="what also falls is a state"),
        pytest.param(DELTA, False, Form.DELTA, id="changes of a state add up"),
    ],
)
def test_forms_of_sums(temporality: Any, is_monotonic: bool, form: Form) -> None:
    metric = pb.Metric(name="m")
    metric.sum.aggregation_temporality, metric.sum.is_monotonic = temporality, is_monotonic
    metric.sum.data_points.add(time_unix_nano=NOW_NS, as_int=7)
    numbers = read(metric).measured.numbers
    assert (numbers.series[0].form, numbers.value.tolist()) == (form, [7.0])


def _histogram(counts: list[int], bounds: list[float], count: int, **more: Any) -> pb.Metric:
    metric = pb.Metric(name="m")
    metric.histogram.aggregation_temporality = DELTA
    metric.histogram.data_points.add(
        time_unix_nano=NOW_NS, bucket_counts=counts, explicit_bounds=bounds, count=count, **more
    )
    return metric


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        pytest.param(_histogram([1, 2], [0.5], 3, sum=1.0), "", id="a bucket more than bounds"),
        pytest.param(
            _histogram([1] * 20, list(range(19)), 20, sum=1.0, min=0.1, max=9.0),
            "",
            id="more than 127 bytes of counts, with extremes",
        ),
        pytest.param(_histogram([], [], 3), "", id="no buckets at all"),
        pytest.param(_histogram([1, 2], [], 3), "2 bucket_counts and 0", id="too few bounds"),
        pytest.param(_histogram([1, 2], [0.5], 4), "count is 4", id="a count of its own"),
        pytest.param(_histogram([1, 2, 0], [1, 1], 3), "do not increase", id="bounds alike"),
        pytest.param(
            _histogram([0, 0, 0], [1, math.inf], 0), "do not increase", id="a bound without end"
        ),
    ],
)
def test_buckets_must_fit(metric: pb.Metric, reason: str) -> None:
    found = read(metric)
    assert found.refused_count == bool(reason)
    assert all(reason in line.reason for line in found.refused)
    agree(one(metric), Memory())


@pytest.mark.parametrize(
    ("ahead_s", "refused"),
    [
        pytest.param(3_600, 0, id="an hour ahead is kept"),
        pytest.param(3_600.000001, 1, id="just over is not"),
    ],
)
def test_clocks_ahead(ahead_s: float, refused: int) -> None:
    metric = pb.Metric(name="m")
    metric.gauge.data_points.add(time_unix_nano=NOW_NS + round(ahead_s * 1e9), as_int=1)
    assert read(metric).refused_count == refused


ATTRIBUTE = wire.framed(
    KeyValue(key="k", value=AnyValue(string_value="v")).SerializeToString(), 0x3A
)


def _attributes(count: int) -> bytes:
    point = pb.NumberDataPoint(time_unix_nano=NOW_NS, as_int=1).SerializeToString()
    gauge = wire.framed(point + ATTRIBUTE * count, 0x0A)
    return _request(pb.Metric(name="m").SerializeToString() + wire.framed(gauge, 0x2A))


def _buckets(count: int, scale: int = 20) -> bytes:
    point = pb.ExponentialHistogramDataPoint(time_unix_nano=NOW_NS, count=count, scale=scale)
    positive = wire.framed(b"\x01" * count, 0x12)
    points = wire.framed(point.SerializeToString() + wire.framed(positive, 0x42), 0x0A)
    delta = pb.ExponentialHistogram(aggregation_temporality=DELTA).SerializeToString()
    return _request(pb.Metric(name="m").SerializeToString() + wire.framed(points + delta, 0x52))


def _request(metric: bytes) -> bytes:
    return wire.framed(wire.framed(wire.framed(metric, 0x12), 0x12), 0x0A)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(lambda: _attributes(128), "", id="128 attributes are kept"),
        pytest.param(lambda: _attributes(129), "128 attributes", id="one more is too many"),
        pytest.param(lambda: _attributes(1_000_000), "bytes", id="a million attributes"),
        pytest.param(lambda: _buckets(10_000), "", id="10,000 buckets are kept"),
        pytest.param(lambda: _buckets(10_001), "10,001 buckets", id="one more bucket is too many"),
        pytest.param(lambda: _buckets(10_000_000), "bytes", id="ten million buckets"),
        pytest.param(lambda: _buckets(1, 20), "", id="the finest scale"),
        pytest.param(lambda: _buckets(1, 21), "scale is 21", id="a finer one"),
        pytest.param(lambda: _buckets(1, -10), "", id="the coarsest scale"),
        pytest.param(lambda: _buckets(1, -11), "scale is -11", id="a coarser one"),
    ],
)
def test_what_is_too_much_is_refused_and_told(body: Callable[[], bytes], reason: str) -> None:
    found = decode(body(), NOW_NS, Memory())
    assert found.refused_count == bool(reason)
    assert all(reason in line.reason for line in found.refused)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x0a\x00" * 300_000, id="resources without end"),
        pytest.param(
            wire.framed(
                wire.framed(wire.framed(wire.framed(b"\x0a\x00" * 250_001, 42), 18), 18), 10
            ),
            id="points without end",
        ),
    ],
)
def test_bodies_that_would_take_too_much_memory_are_refused(body: bytes) -> None:
    with pytest.raises(PayloadError, match="send fewer"):
        decode(body, NOW_NS, Memory())


def test_json_that_would_take_too_much_memory_is_refused() -> None:
    with pytest.raises(PayloadError, match="send fewer"):
        to_protobuf(b"[" + b"{}," * MAX_PARTS + b"{}]")


def test_json_of_the_specification() -> None:
    body = {
        "resourceMetrics": [
            {
                "resource": {
                    "attributes": [{"key": "service.name", "value": {"stringValue": "router"}}]
                },
                "unknownKey": {"a": [1]},
                "scopeMetrics": [
                    {
                        "metrics": [
                            {
                                "name": "messages",
                                "unit": "1",
                                "sum": {
                                    "aggregationTemporality": 1,
                                    "isMonotonic": True,
                                    "dataPoints": [
                                        {
                                            "asInt": "5",
                                            "timeUnixNano": str(NOW_NS),
                                            "startTimeUnixNano": NOW_NS - 10,
                                            "attributes": [
                                                {"key": "n", "value": {"intValue": "7"}}
                                            ],
                                            "exemplars": [
                                                {"spanId": "5fb397be34d26b51", "traceId": "xyz"}
                                            ],
                                        }
                                    ],
                                },
                            }
                        ]
                    }
                ],
            }
        ]
    }
    numbers = decode(to_protobuf(json.dumps(body).encode()), NOW_NS, Memory()).measured.numbers
    assert numbers.series[0].labels == (("n", "7"), ("service.name", "router"))
    assert numbers.series[0].form is Form.DELTA
    assert numbers.value.tolist() == [5.0]
    assert numbers.start_ns.tolist() == [NOW_NS - 10]


def test_a_body_read_again_gives_the_very_same_series() -> None:
    memory = Memory()
    first, second = (decode(one(_state(), tenant="acme"), NOW_NS, memory) for _ in range(2))
    assert first.measured.numbers.series[0] is second.measured.numbers.series[0]


def test_two_processes_of_a_host_are_two_instances() -> None:
    names = {"host.name": "h", "process.pid": "12", "telemetry.sdk.name": "x"}
    found = decode(one(_state(), **names), NOW_NS, Memory())
    assert found.measured.numbers.series[0].labels == (
        ("host.name", "h"),
        ("service.instance.id", "h:12"),
    )


def test_refused_points_are_told_with_series_and_place() -> None:
    metric = _state()
    late = metric.gauge.data_points.add(time_unix_nano=0, as_int=1)
    late.attributes.add(key="tenant", value=AnyValue(string_value="acme"))
    (line,) = read(metric).refused
    assert (line.line_number, line.line, line.tenant) == (2, 'm{tenant="acme"}', "acme")
    assert line.reason_class == "stamp"
