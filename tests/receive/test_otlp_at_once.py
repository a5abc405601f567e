"""OTLP's points by hundreds: what is found for all at once is what is found one by one."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Request,
)
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb
from tests.receive.test_otlp_decoding import (
    ATTRIBUTE,
    CUMULATIVE,
    NOW_NS,
    NUMBERS,
    SIZE,
    agree,
    explicit_points,
)

from streamgauge.model.errors import PayloadError
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.index import Entry, Index, cut
from streamgauge.receive.otlp.known import Memory
from streamgauge.receive.otlp.points import POINT, find_alike, follow
from streamgauge.receive.otlp.protobuf import decode

EIGHT = b"\x0a\x12\x11\x00\x80\x19\x40\x01"
POINTS = st.builds(
    lambda start, value, attributes: start + value + attributes,
    st.sampled_from([b"", b"\x11" + EIGHT + b"\x19" + EIGHT, b"\x19" + EIGHT]),
    st.sampled_from([b"\x21" + EIGHT, b"\x31" + EIGHT]),
    st.sampled_from(
        [
            b"",
            ATTRIBUTE,
            ATTRIBUTE * 12,
            wire.framed(wire.framed(b"\x11" + EIGHT + b"\x19" + EIGHT, POINT), 0x3A),
            wire.framed(b"\x0a\x8a\x01\x11" + EIGHT + b"\x19" * 140, 0x3A),
        ]
    ),
)
"""With what looks like the beginning of another point inside."""


def _framed(points: list[bytes]) -> bytes:
    return b"".join(wire.framed(point, POINT) for point in points)


@settings(max_examples=300 * SIZE, deadline=None)
@given(
    st.lists(POINTS, min_size=1, max_size=12),
    st.binary(max_size=5),
    st.sampled_from([4, 12, 40, 200, 1 << 18]),
    st.integers(0, 3),
)
def test_points_are_found_where_their_lengths_say(
    points: list[bytes], behind: bytes, window: int, cut_off: int
) -> None:
    before = b"\x0a\x1b\x11"
    data = _framed(points)
    body = before + data + behind
    end = len(before) + len(data) - cut_off
    told = follow(body, len(before), end, 100)
    found = find_alike(body, len(before), end, 100, window)
    starts = [at for some, _ in found for at in some.tolist()]
    stops = [at for _, some in found for at in some.tolist()]
    assert starts == told[0][: len(starts)]
    assert stops == told[1][: len(stops)]
    if len(set(points)) == 1 and len(points[0]) > 9:
        assert len(starts) >= len(told[0]) - 1, "the last may be too short to be seen"


def test_no_more_points_are_looked_for_than_there_is_room() -> None:
    body = _framed([b"\x11" + EIGHT + b"\x19" + EIGHT] * 1000)
    assert sum(len(starts) for starts, _ in find_alike(body, 0, len(body), 10, 200)) < 30


PIECES = st.lists(
    st.tuples(
        st.sampled_from([b"", b"a", b"ab", b"a" * 12, b"a" * 13, b"b" * 40]), st.integers(0, 2)
    ),
    max_size=30,
)


@settings(max_examples=200 * SIZE, deadline=None)
@given(PIECES, PIECES, PIECES)
def test_an_index_finds_what_a_dictionary_finds(
    first: list[tuple[bytes, int]], more: list[tuple[bytes, int]], asked: list[tuple[bytes, int]]
) -> None:
    known: dict[tuple[bytes, int], int] = {}
    index = Index()
    for some in (first, more):
        new = [pair for pair in dict.fromkeys(some) if pair not in known]
        known |= {pair: len(known) + place for place, pair in enumerate(new)}
        index = Index([Entry(*pair, known[pair]) for pair in new], index)
    body = b"-".join(piece for piece, _ in asked)
    end = np.cumsum([len(piece) + 1 for piece, _ in asked], dtype=np.int64) - 1
    begin = end - np.array([len(piece) for piece, _ in asked], np.int64)
    owner = np.array([of for _, of in asked], np.int32)
    assert len(index) == len(known)
    assert index.find(cut(body, begin, end), owner).tolist() == [
        known.get(one, -1) for one in asked
    ]


@st.composite
def many(draw: Any) -> Request:
    """Metrics with some hundred points each, few of which are different."""
    metrics = []
    for number, kind in enumerate(
        draw(st.lists(st.sampled_from(["sum", "histogram"]), max_size=3))
    ):
        metric = pb.Metric(name=f"m{number % 2}")
        data = getattr(metric, kind)
        data.aggregation_temporality = CUMULATIVE
        points = NUMBERS if kind == "sum" else explicit_points()
        for some in draw(st.lists(points, min_size=1, max_size=4)):
            data.data_points.extend([some] * draw(st.sampled_from([1, 7, 150])))
        metrics.append(metric)
    request = Request()
    request.resource_metrics.add().scope_metrics.add().metrics.extend(metrics)
    return request


REMEMBERING = Memory()
FORGETTING = Memory(max_entries=3)


@settings(max_examples=40 * SIZE, deadline=None)
@given(many())
def test_many_points_say_what_the_naive_reading_says(request: Request) -> None:
    body = request.SerializeToString()
    for memory in (REMEMBERING, FORGETTING, Memory()):
        agree(body, memory)


def _filled(shape: Any, count: int) -> Request:
    """Points of one shape, each with a series of its own."""
    request = Request()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    data = metric.sum if isinstance(shape, pb.NumberDataPoint) else metric.histogram
    data.aggregation_temporality = CUMULATIVE
    for number in range(count):
        point = data.data_points.add()
        point.CopyFrom(shape)
        point.attributes.add(key="n").value.string_value = str(number)
    return request


STAMPS: dict[str, Any] = {"start_time_unix_nano": NOW_NS - 5, "time_unix_nano": NOW_NS}
NUMBER = pb.NumberDataPoint(as_int=7, **STAMPS)
HISTOGRAM = pb.HistogramDataPoint(
    count=6, sum=1.5, bucket_counts=[1, 2, 3], explicit_bounds=[0.5, 1], **STAMPS
)


@pytest.mark.parametrize("shape", [NUMBER, HISTOGRAM], ids=["numbers", "histograms"])
def test_known_series_are_found_for_hundreds_at_once(shape: Any) -> None:
    memory = Memory()
    body = _filled(shape, 700).SerializeToString()
    for _ in range(3):
        agree(body, memory)
    agree(_filled(shape, 900).SerializeToString(), memory)
    first, second = (_points(body, memory) for _ in range(2))
    assert len(np.unique(first.of)) == 700
    assert (first.of == second.of).all()
    assert first.series is second.series


def _points(body: bytes, memory: Memory) -> Any:
    measured = decode(body, NOW_NS, memory).measured
    return measured.numbers if len(measured.numbers.of) else measured.histograms


def test_all_buckets_of_a_body_are_counted_before_they_are_laid_out() -> None:
    shape = pb.HistogramDataPoint(
        count=1000, sum=1.0, bucket_counts=[1] * 1000, explicit_bounds=range(999), **STAMPS
    )
    assert decode(_filled(shape, 20).SerializeToString(), NOW_NS, Memory()).refused_count == 0
    point = shape.SerializeToString()
    form = pb.Histogram(aggregation_temporality=CUMULATIVE).SerializeToString()
    data = _framed([point] * 2001) + form
    metric = pb.Metric(name="m").SerializeToString() + wire.framed(data, 0x4A)
    body = wire.framed(wire.framed(wire.framed(metric, 0x12), 0x12), 0x0A)
    with pytest.raises(PayloadError, match="more than 2,000,000 buckets"):
        decode(body, NOW_NS, Memory())


@given(st.binary(max_size=80))
@example(b"\x0a\x0a\x11" + b"\x11" * 60)
def test_any_bytes_have_points_or_none(data: bytes) -> None:
    starts = [at for some, _ in find_alike(data, 0, len(data), 100) for at in some.tolist()]
    assert starts == follow(data, 0, len(data), 100)[0][: len(starts)]
