"""Remote write's bytes → numbers: against the protobuf library, and for what cannot be read."""

from __future__ import annotations

import math
import struct
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.receive.prometheus_reference import (
    Told,
    WriteRequest,
    bits,
    samples_of,
    write_request,
)

from streamgauge.model.errors import PayloadError
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.measured import Form, Measured
from streamgauge.receive.prometheus.decoding import Decoded, Decoder
from streamgauge.receive.prometheus.forms import Families
from streamgauge.receive.prometheus.known import KnownSeries
from streamgauge.receive.prometheus.trail import Stretch, Trail
from streamgauge.receive.prometheus.wire import DecodeError

NOW_MS = 1_790_000_000_000
NOW_NS = NOW_MS * 1_000_000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def told(measured: Measured) -> Told:
    numbers = measured.numbers
    found = []
    rows = [(numbers.of, numbers.time_ns, [bits(value) for value in numbers.value.tolist()])]
    rows.append((numbers.ended, numbers.ended_ns, [bits(STALE)] * len(numbers.ended)))
    for of, time_ns, values in rows:
        for code, at, value in zip(of.tolist(), time_ns.tolist(), values, strict=True):
            series = numbers.series[code]
            labels = tuple(sorted([("__name__", series.name), *series.labels]))
            found.append((labels, value, at // 1_000_000))
    return sorted(found)


def one(name: str = "m", value: float = 1.0, at: int = NOW_MS, **labels: str) -> Any:
    return ({"__name__": name, **labels}, [(value, at)])


def decoded(*series: Any) -> Decoded:
    return Decoder().decode(write_request(*series), NOW_NS)


# ── the same as the protobuf library says


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
_LABELS = st.dictionaries(_WORDS, _WORDS, max_size=4)
_VALUES = st.one_of(st.just(0.0), st.just(-0.0), st.just(STALE), st.floats())
_TIMES = st.one_of(
    st.integers(NOW_MS - 1000, NOW_MS + 1000), st.sampled_from([0, 127, 2**35 - 1, 2**35])
)
_SERIES = st.tuples(
    st.tuples(st.sampled_from(["m_total", "m", "µ"]), _LABELS).map(
        lambda found: {**found[1], "__name__": found[0]}
    ),
    st.lists(st.tuples(_VALUES, _TIMES), max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(_SERIES, max_size=5), min_size=2, max_size=3))
def test_whatever_is_sent_is_read_as_the_library_reads_it(bodies: list[list[Any]]) -> None:
    """Twice, as known series take another way."""
    decoder = Decoder()
    for series in [*bodies, *bodies]:
        body = write_request(*series)
        if not body:
            continue
        found = decoder.decode(body, NOW_NS)
        assert told(found.measured) == samples_of(body)
        assert found.rejected_count == 0


_TOP = write_request(
    one("m_total", 5.0, tenant="acme"), one("m_total", 0.0, tenant="acme"), one("g", -1.5)
)


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, len(_TOP) - 1),
    st.binary(max_size=20),
    st.integers(0, 20),
    st.sampled_from([b"", b"\x12\x07", b"\x12\x10", b"\x22\x02", b"\x0a\x00", b"\x1b", b"\x00"]),
)
def test_a_damaged_body_is_refused_or_read_as_the_library_reads_it(
    at: int, inserted: bytes, cut: int, tag: bytes
) -> None:
    body = _TOP[:at] + tag + inserted + _TOP[at + cut :]
    decoder = Decoder()
    decoder.decode(_TOP, NOW_NS)  # so that series are known
    try:
        expected = [row for row in samples_of(body) if 0 <= row[2] <= NOW_MS + 3_600_000]
        request = WriteRequest.FromString(body)
    except (DecodeError, UnicodeDecodeError):
        expected, request = None, None
    try:
        found = decoder.decode(body, NOW_NS)
    except PayloadError:
        is_empty = request is not None and not request.timeseries and not request.metadata
        assert expected is None or is_empty
        return
    if expected is not None and not found.rejected_count:
        kept = [tuple(pair for pair in labels if pair[1]) for labels, _, _ in expected]
        rows = [(labels, *row[1:]) for labels, row in zip(kept, expected, strict=True)]
        assert told(found.measured) == sorted(rows)


TRAPS = [
    (
        "two samples of zero, as long together as one with a value",
        [(0.0, NOW_MS), (0.0, NOW_MS + 1)],
    ),
    ("a sample with a value", [(1.0, NOW_MS)]),
    ("one of zero and one with a value", [(0.0, NOW_MS), (2.0, NOW_MS + 1)]),
    ("one with a value and one of zero", [(2.0, NOW_MS), (0.0, NOW_MS + 1)]),
    ("a time before 1970, in 10 bytes", [(2.0, -5)]),
    ("a time of one byte", [(2.0, 5)]),
]


@pytest.mark.parametrize(("_", "samples"), TRAPS, ids=[case[0] for case in TRAPS])
def test_a_known_series_is_read_right_whatever_its_samples_look_like(
    _: str, samples: list[tuple[float, int]]
) -> None:
    decoder = Decoder()
    labels = {"__name__": "m"}
    for value in (0.0, 1.0):
        decoder.decode(write_request((labels, [(value, NOW_MS)])), NOW_NS)
    body = write_request((labels, samples))
    found = decoder.decode(body, NOW_NS)
    assert told(found.measured) == [row for row in samples_of(body) if row[2] >= 0]
    assert found.rejected_count == sum(at < 0 for _, at in samples)


def test_a_header_that_promises_more_than_follows_is_refused_also_for_a_known_series() -> None:
    decoder = Decoder()
    whole = write_request(one("m", 1.0))
    decoder.decode(whole, NOW_NS)
    series = whole[2:]
    for short in (series[:-1], series[:-9], series[:-16] + series[-7:]):
        with pytest.raises(PayloadError, match="cut off"):
            decoder.decode(b"\x0a" + bytes((len(short),)) + short, NOW_NS)


def test_the_same_object_stands_for_a_series_in_every_body() -> None:
    decoder = Decoder()
    first, second = (
        decoder.decode(write_request(one(value=value), one("n")), NOW_NS).measured.numbers.series
        for value in (1.0, 0.0)
    )
    assert {id(series) for series in first} == {id(series) for series in second}


def test_series_are_forgotten_within_bounds_and_still_read_right() -> None:
    decoder = Decoder(max_bytes=5_000)
    for start in (*range(0, 100, 5), *range(0, 100, 5)):
        body = write_request(*(one(tenant=f"t{start + at}") for at in range(5)))
        assert told(decoder.decode(body, NOW_NS).measured) == samples_of(body)
        assert len(decoder._known.table().numbers) < 20


# ── in the order of a body before

_SCRAPE = tuple({"__name__": f"m{number % 3}", "at": "x" * (number + 1)} for number in range(40))
_VALUE_OF_SCRAPE = st.one_of(st.just(0.0), st.just(STALE), st.floats(allow_nan=False))
_CHANGES = st.lists(
    st.tuples(
        st.integers(0, len(_SCRAPE) - 1),
        st.sampled_from(["gone", "new", "twice", "nothing", "old"]),
    ),
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(_SCRAPE)),
            st.lists(_VALUE_OF_SCRAPE, min_size=1, max_size=8),
            _CHANGES,
        ),
        min_size=2,
        max_size=6,
    )
)
def test_scrapes_that_differ_a_little_are_read_as_the_library_reads_them(
    scrapes: list[tuple[int, list[float], list[tuple[int, str]]]],
) -> None:
    """Bodies begin anywhere in a scrape; a few series are told otherwise than in the one before."""
    decoder = Decoder()
    for number, (begin, values, changes) in enumerate(scrapes):
        at_ms = NOW_MS + number
        told_of = {
            place: [(labels, [(values[place % len(values)], at_ms)])]
            for place, labels in enumerate(_SCRAPE)
        }
        for place, change in changes:
            labels = _SCRAPE[place]
            told_of[place] = {
                "gone": [],
                "new": [({**labels, "new": str(number)}, [(1.0, at_ms)]), *told_of[place]],
                "twice": [(labels, [(1.0, at_ms - 1), (2.0, at_ms)])],
                "nothing": [(labels, [])],
                "old": [(labels, [(1.0, 5)])],
            }[change]
        flat = [one for place in range(len(_SCRAPE)) for one in told_of[place]]
        for some in (flat[begin:] + flat[:begin], flat[: begin or 1]):
            if body := write_request(*some):
                assert told(decoder.decode(body, NOW_NS).measured) == samples_of(body)


def test_a_type_that_is_told_behind_known_series_holds_for_them() -> None:
    decoder = Decoder()
    plain = write_request(*(one("jobs", number=str(number)) for number in range(30)))
    metadata = WriteRequest()
    metadata.metadata.add(type=1, metric_family_name="jobs")
    for _ in range(3):
        decoder.decode(plain, NOW_NS)
    numbers = decoder.decode(plain + metadata.SerializeToString(), NOW_NS).measured.numbers
    assert {numbers.series[code].form for code in numbers.of.tolist()} == {Form.CUMULATIVE}
    assert len(numbers.of) == 30


def test_what_is_remembered_of_bodies_is_bounded() -> None:
    trail = Trail(max_bytes=40_000)
    for number in range(40):
        body = np.frombuffer(write_request(*(one(x="y" * at) for at in range(40))), np.uint8)
        numbers = np.arange(40, dtype=np.int32) + (number if number % 2 else 0)
        trail.keep(body, Stretch(numbers, np.arange(1, 41) * 17, np.zeros(40, bool)))
        assert trail.size_bytes <= 40_000
    assert trail.page_count < 20


# ── what names, types and markers say


FORMS = [
    ("messages_total", Form.CUMULATIVE),
    ("message_latency_seconds_bucket", Form.CUMULATIVE),
    ("message_latency_seconds_count", Form.CUMULATIVE),
    ("message_latency_seconds_sum", Form.CUMULATIVE),
    ("messages_created", Form.GAUGE),
    ("queue_backlog", Form.GAUGE),
]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_name_says_how_a_series_is_read(name: str, form: Form) -> None:
    assert decoded(one(name)).measured.numbers.series[0].form is form


TYPES = [
    ("a gauge named like a counter", "jobs_total", 2, "jobs_total", Form.GAUGE),
    ("a counter named like a gauge", "jobs", 1, "jobs", Form.CUMULATIVE),
    ("OpenMetrics' counter", "jobs", 1, "jobs_total", Form.CUMULATIVE),
    ("a gauge histogram's buckets", "sizes", 4, "sizes_bucket", Form.GAUGE),
    ("a gauge that ends in _count", "pod_count", 2, "pod_count", Form.GAUGE),
    ("a type that nobody knows", "jobs_total", 77, "jobs_total", Form.CUMULATIVE),
]


@pytest.mark.parametrize(("_", "family", "kind", "name", "form"), TYPES, ids=[c[0] for c in TYPES])
def test_a_type_that_was_told_wins_over_the_name_from_then_on(
    _: str, family: str, kind: int, name: str, form: Form
) -> None:
    decoder = Decoder()
    decoder.decode(write_request(one(name)), NOW_NS)
    metadata = WriteRequest()
    metadata.metadata.add(type=kind, metric_family_name=family, unit="seconds")
    assert decoder.decode(metadata.SerializeToString(), NOW_NS).measured.point_count == 0
    series = decoder.decode(write_request(one(name)), NOW_NS).measured.numbers.series[0]
    assert series.form is form


def test_a_series_that_was_read_before_a_type_was_told_is_not_remembered_after() -> None:
    """As where one thread learns of a type while another reads the series."""
    families = Families()
    known = KnownSeries(families)
    table = known.table()
    series = known.read([b"\x0a\x08__name__\x12\x04jobs"])
    assert families.learn([("jobs", 1, "")])
    known.forget()
    known.add(table, b"key", series)
    assert known.find(known.table(), b"key") < 0


def test_a_stale_marker_is_no_value_but_the_end_of_its_series() -> None:
    found = decoded(one("a", STALE), one("b", math.nan), one("c", 3.0)).measured.numbers
    assert [found.series[code].name for code in found.of.tolist()] == ["b", "c"]
    assert np.isnan(found.value[0])
    assert found.value[1] == 3.0
    assert [found.series[code].name for code in found.ended.tolist()] == ["a"]
    assert found.ended_ns.tolist() == [NOW_NS]


def test_labels_are_sorted_and_neither_empty_nor_the_name() -> None:
    request = WriteRequest()
    series = request.timeseries.add()
    for name, value in (("z", "1"), ("__name__", "m"), ("a", "2"), ("empty", "")):
        series.labels.add(name=name.encode(), value=value.encode())
    series.samples.add(value=1, timestamp=NOW_MS)
    found = Decoder().decode(request.SerializeToString(), NOW_NS).measured.numbers.series[0]
    assert (found.name, found.labels) == ("m", (("a", "2"), ("z", "1")))


# ── what cannot be taken


def _series(*labels: tuple[bytes, bytes], at: int = NOW_MS) -> bytes:
    request = WriteRequest()
    for pairs in (labels, ((b"__name__", b"good"),)):
        series = request.timeseries.add()
        for name, value in pairs:
            series.labels.add(name=name, value=value)
        series.samples.add(value=1, timestamp=at if pairs is labels else NOW_MS)
    return bytes(request.SerializeToString())


NAME = (b"__name__", b"m")
BAD_SERIES = [
    ("no name", _series((b"a", b"b")), "no metric name", "syntax"),
    ("no labels at all", _series(), "no metric name", "syntax"),
    ("a label twice", _series(NAME, (b"a", b"1"), (b"a", b"2")), "stands twice", "syntax"),
    ("a name twice", _series(NAME, (b"__name__", b"n")), "stands twice", "syntax"),
    ("a label without a name", _series(NAME, (b"", b"1")), "without a name", "syntax"),
    ("not UTF-8", _series(NAME, (b"a", b"\xff")), "not UTF-8", "encoding"),
    (
        "more labels than are taken",
        _series(NAME, *((b"%d" % n, b"x") for n in range(128))),
        "129 labels; at most 128",
        "syntax",
    ),
    ("labels too large", _series(NAME, (b"a", b"x" * 17_000)), "at most 16,384", "syntax"),
    (
        "more than an hour ahead",
        _series(NAME, at=NOW_MS + 3_600_001),
        "ahead of our clock",
        "stamp",
    ),
    ("before 1970", _series(NAME, at=-1), "before 1970", "stamp"),
    ("the end of time", _series(NAME, at=2**63 - 1), "ahead of our clock", "stamp"),
]


@pytest.mark.parametrize(
    ("_", "body", "reason", "reason_class"), BAD_SERIES, ids=[case[0] for case in BAD_SERIES]
)
def test_a_bad_sample_is_refused_with_a_reason_and_the_others_are_kept(
    _: str, body: bytes, reason: str, reason_class: str
) -> None:
    found = Decoder().decode(body, NOW_NS)
    assert [series.name for series in found.measured.numbers.series][-1] == "good"
    assert found.measured.point_count == 1
    assert found.rejected_count == 1
    assert reason in found.rejected[0].reason
    assert found.rejected[0].reason_class == reason_class


def test_a_stamp_an_hour_ahead_is_kept() -> None:
    assert decoded(one(at=NOW_MS + 3_600_000)).rejected_count == 0


def test_a_million_labels_are_refused_as_one_series() -> None:
    label = b"\x0a\x06\x0a\x01a\x12\x01b"
    series = label * 1_000_000 + write_request(one())[2:]
    size, length = len(series), b""
    while size:
        length += bytes((size & 0x7F | (0x80 if size > 0x7F else 0),))
        size >>= 7
    found = Decoder().decode(b"\x0a" + length + series, NOW_NS)
    assert (found.measured.point_count, found.rejected_count) == (0, 1)
    assert "1,000,001 labels" in found.rejected[0].reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x0a\x00" * 100_001, "series of one body"),
        (write_request(({"__name__": "m"}, [(0.0, NOW_MS)] * 1_000_001)), "samples of one body"),
        (b"\x1a\x00" * 100_001, "metadata of one body"),
    ],
    ids=["series", "samples", "metadata"],
)
def test_more_than_anybody_sends_at_once_is_refused_as_too_large(body: bytes, reason: str) -> None:
    with pytest.raises(BodyTooLarge, match=reason):
        Decoder().decode(body, NOW_NS)


def test_series_beyond_those_that_are_cut_up_at_once_are_read_too() -> None:
    body = write_request(*(one(value=float(n % 3), n=str(n)) for n in range(10_050)))
    decoder = Decoder()
    for _ in range(2):
        assert told(decoder.decode(body, NOW_NS).measured) == samples_of(body)


def test_only_the_first_hundred_refused_samples_are_told_and_all_are_counted() -> None:
    found = decoded(*(one(at=-1, tenant=str(n)) for n in range(150)), one())
    assert (len(found.rejected), found.rejected_count) == (100, 150)
    assert [row.line_number for row in found.rejected[:2]] == [1, 2]
    assert found.rejected[3].tenant == "3"


BROKEN = [
    ("cut in the middle", _TOP[:-3]),
    ("a length beyond the end", b"\x0a\x7f\x0a"),
    ("an endless varint", b"\x0a" + b"\xff" * 11),
    ("a group that is never closed", b"\x0b\x0b\x0b"),
    ("a tag of no field", b"\x00\x01"),
    ("text", b"messages,tenant=acme count=1i"),
    ("a message of version 2.0", b"\x22\x00\x22\x03abc\x2a\x02\x0a\x00"),
    ("a series cut within a label", b"\x0a\x04\x0a\x05ab"),
    (
        "a sample cut within its value",
        b"\x0a\x16\x0a\x0d\x0a\x08__name__\x12\x01m\x12\x05\x09\0\0\0\0",
    ),
]


@pytest.mark.parametrize(("_", "body"), BROKEN, ids=[case[0] for case in BROKEN])
def test_what_is_no_write_request_is_refused_as_a_whole(_: str, body: bytes) -> None:
    with pytest.raises(PayloadError, match="remote write"):
        Decoder().decode(body, NOW_NS)


def test_unknown_fields_are_passed_over() -> None:
    body = _TOP + b"\x82\x7d\x03abc"
    assert told(Decoder().decode(body, NOW_NS).measured) == samples_of(_TOP)


# ── native histograms, exemplars


def _native(**fields: Any) -> Any:
    request = WriteRequest()
    series = request.timeseries.add()
    series.labels.add(name=b"__name__", value=b"message_latency_seconds")
    histogram = series.histograms.add(timestamp=NOW_MS)
    spans = fields.pop("spans", ())
    negative = fields.pop("negative_spans", ())
    for name, value in fields.items():
        if isinstance(value, list):
            getattr(histogram, name).extend(value)
        else:
            setattr(histogram, name, value)
    for offset, length in spans:
        histogram.positive_spans.add(offset=offset, length=length)
    for offset, length in negative:
        histogram.negative_spans.add(offset=offset, length=length)
    series.exemplars.add(value=1.0)
    return Decoder().decode(request.SerializeToString(), NOW_NS)


def test_a_native_histogram_becomes_cells_with_bounds() -> None:
    found = _native(
        count_int=11,
        sum=18.4,
        schema=1,
        zero_threshold=0.001,
        zero_count_int=2,
        spans=[(0, 2), (1, 2)],
        positive_deltas=[1, 1, -1, 0],
        negative_spans=[(0, 1)],
        negative_deltas=[4],
    )
    histograms = found.measured.histograms
    root = math.sqrt(2)
    assert histograms.series[0].form is Form.CUMULATIVE
    assert histograms.cells.tolist() == [0, 6]
    assert histograms.lower.tolist() == pytest.approx([-1, -0.001, 1 / root, 1, 2, 2 * root])
    assert histograms.upper.tolist() == pytest.approx([-1 / root, 0.001, 1, root, 2 * root, 4])
    assert histograms.weight.tolist() == [4, 2, 1, 2, 1, 1]
    assert (histograms.count[0], histograms.sum[0]) == (11, 18.4)
    assert found.exemplar_count == 1


def test_a_native_histogram_with_bounds_of_its_own() -> None:
    found = _native(
        schema=-53,
        count_float=3.0,
        sum=1.0,
        spans=[(0, 1), (1, 1)],
        positive_counts=[1.0, 2.0],
        custom_values=[0.1, 0.5],
        reset_hint=3,
    ).measured.histograms
    assert found.series[0].form is Form.GAUGE
    assert found.lower.tolist() == [0.0, 0.5]
    assert found.upper.tolist() == [0.1, math.inf]
    assert found.weight.tolist() == [1, 2]


def test_a_stale_native_histogram_is_none() -> None:
    assert _native(sum=STALE).measured.point_count == 0


BAD_NATIVES = [
    ("more buckets than spans", {"spans": [(0, 1)], "positive_deltas": [1, 1]}),
    ("spans without end", {"spans": [(0, 2**32 - 1)], "positive_deltas": [1]}),
    ("less than nothing", {"spans": [(0, 1)], "positive_deltas": [-1]}),
    ("NaN counts", {"spans": [(0, 1)], "positive_counts": [math.nan]}),
    ("an unknown schema", {"schema": 99}),
    ("more bytes than are read", {"positive_counts": [1.0] * 9000}),
    ("no bounds for a bucket", {"schema": -53, "spans": [(5, 1)], "positive_deltas": [1]}),
]


@pytest.mark.parametrize(("_", "fields"), BAD_NATIVES, ids=[case[0] for case in BAD_NATIVES])
def test_a_native_histogram_that_contradicts_itself_is_refused(_: str, fields: Any) -> None:
    found = _native(**fields)
    assert found.rejected_count == 1
    assert "native histogram" in found.rejected[0].reason
    assert found.measured.point_count == 0


def test_buckets_out_of_a_doubles_reach_are_not_a_crash() -> None:
    found = _native(schema=-4, count_int=2, spans=[(2**31 - 1, 1)], positive_deltas=[1])
    assert found.measured.histograms.upper.tolist() == [math.inf]
