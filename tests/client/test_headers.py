"""Ids and first stamps travel in the headers of every broker, and survive whatever is in there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamgauge.client import Trace, read, stamp

AT = 1_795_500_000.25
ids = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
values = st.text(max_size=20) | st.binary(max_size=20) | st.integers() | st.none() | st.floats()
anything = st.recursive(values | st.booleans(), lambda inner: st.lists(inner, max_size=3))
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(
            None, {"streamgauge-id": "m-1", "streamgauge-first": "1795500000.250000"}, id="none"
        ),
        pytest.param(
            {"x-retries": 3, "traceparent": b"00-ab"},
            {
                "x-retries": 3,
                "traceparent": b"00-ab",
                "streamgauge-id": "m-1",
                "streamgauge-first": "1795500000.250000",
            },
            id="AMQP's and NATS' dictionaries",
        ),
        pytest.param(
            [("kind", b"view")],
            [
                ("kind", b"view"),
                ("streamgauge-id", b"m-1"),
                ("streamgauge-first", b"1795500000.250000"),
            ],
            id="Kafka's pairs of text and bytes",
        ),
        pytest.param(
            [],
            [("streamgauge-id", b"m-1"), ("streamgauge-first", b"1795500000.250000")],
            id="an empty list is Kafka's",
        ),
        pytest.param(
            [(b"host", b"a")],
            [
                (b"host", b"a"),
                (b"streamgauge-id", b"m-1"),
                (b"streamgauge-first", b"1795500000.250000"),
            ],
            id="ASGI's pairs of bytes",
        ),
        pytest.param(
            [("host", "a")],
            [
                ("host", "a"),
                ("streamgauge-id", "m-1"),
                ("streamgauge-first", "1795500000.250000"),
            ],
            id="an HTTP client's pairs of text",
        ),
    ],
)
def test_headers_keep_their_shape(headers: Any, expected: Any) -> None:
    stamped = stamp(headers, id="m-1", at=AT)
    assert stamped == expected
    assert read(stamped) == Trace("m-1", AT)
    assert stamp(stamped, id="m-2", at=AT + 9) == stamped, "the first stamp stays"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({"Streamgauge-Id": "a", "STREAMGAUGE-FIRST": "7"}, Trace("a", 7.0), id="case"),
        pytest.param([(b"Streamgauge-Id", b"a")], Trace("a"), id="bytes in any case"),
        pytest.param({"streamgauge-id": ["a", "b"]}, Trace("a"), id="a list: its first"),
        pytest.param({"streamgauge-id": 42}, Trace("42"), id="a number as id"),
        pytest.param({"streamgauge-first": 7}, Trace(None, 7.0), id="a number as stamp"),
        pytest.param(
            {"streamgauge-first": datetime(2026, 1, 1, tzinfo=UTC)},
            Trace(None, 1_767_225_600.0),
            id="an instant, as AMQP has them",
        ),
        pytest.param({"streamgauge-first": "1795500000250"}, Trace(), id="milliseconds are not"),
        pytest.param({"streamgauge-first": "soon"}, Trace(), id="no number"),
        pytest.param({"streamgauge-first": "nan"}, Trace(), id="not a number"),
        pytest.param({"streamgauge-first": "-1"}, Trace(), id="before time began"),
        pytest.param({"streamgauge-id": "x" * 129}, Trace(), id="an id that is too long"),
        pytest.param({"streamgauge-id": "a\nb"}, Trace(), id="an id with a line break"),
        pytest.param({"streamgauge-id": None}, Trace(), id="nothing as id"),
        pytest.param(7, Trace(), id="no headers at all"),
        pytest.param([1, 2], Trace(), id="a list of something else"),
    ],
)
def test_what_is_read(headers: Any, expected: Trace) -> None:
    assert read(headers) == expected


@settings(max_examples=150)
@given(st.dictionaries(names, anything, max_size=4), ids, st.floats(1, 9e10))
def test_dictionaries_of_anything(headers: dict[str, Any], message_id: str, at: float) -> None:
    before = dict(headers)
    stamped = stamp(headers, id=message_id, at=at)
    assert headers == before or str(headers) == str(before), "the given one is not changed"
    assert read(stamped) == Trace(message_id, pytest.approx(at, abs=1e-6, rel=1e-12))
    assert {name: stamped[name] for name in headers} == headers or str(headers)


@settings(max_examples=100)
@given(st.lists(st.tuples(names, st.binary(max_size=9) | st.none()), max_size=4), ids)
def test_pairs_of_anything(headers: list[tuple[str, Any]], message_id: str) -> None:
    stamped = stamp(headers, id=message_id, at=AT)
    assert read(stamped) == Trace(message_id, AT)
    assert stamped[: len(headers)] == headers


@settings(max_examples=100)
@given(anything | st.dictionaries(anything.filter(lambda a: not isinstance(a, list)), anything))
def test_reading_never_raises(headers: Any) -> None:
    assert isinstance(read(headers), Trace)


def test_damaged_stamps_are_replaced_and_missing_ids_are_made() -> None:
    stamped = stamp({"Streamgauge-First": "soon", "a": 1}, at=AT)
    trace = read(stamped)
    assert trace.first_at == AT
    assert trace.id
    assert len(stamped) == 3
    assert read(stamp(None)).id != read(stamp(None)).id


@pytest.mark.parametrize(
    ("trace", "now", "expected"),
    [
        pytest.param(Trace("a", 5.0), 7.5, 2.5, id="since the first stamp"),
        pytest.param(Trace("a", 5.0), 4.0, 0.0, id="clocks that disagree"),
        pytest.param(Trace("a"), 4.0, None, id="no stamp"),
    ],
)
def test_latency(trace: Trace, now: float, expected: float | None) -> None:
    assert trace.latency_s(now) == expected
