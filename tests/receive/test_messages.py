"""Hops as NDJSON: what each line becomes, and what is said of lines that are none."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import PayloadError
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.messages.columns import NUMBER_KEYS, TEXT_KEYS
from streamgauge.receive.messages.decoding import decode
from streamgauge.receive.messages.lines import MAX_LINES, MAX_UNREADABLE, Habit
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.schema import HOPS_SCHEMA, MESSAGES_SCHEMA

NOW_NS = 1_800_000_000_000_000_000
REDACTION = Redaction()


def read(*lines: object) -> Parsed:
    return raw("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines))


def raw(body: str | bytes) -> Parsed:
    return decode(body.encode() if isinstance(body, str) else body, NOW_NS, REDACTION, "d")


def hop(line: object) -> dict[str, Any]:
    (found,) = hops(read(line))
    return found


def hops(parsed: Parsed) -> list[dict[str, Any]]:
    assert parsed.batch.hops is not None
    assert parsed.batch.hops.schema == HOPS_SCHEMA
    assert parsed.batch.messages.schema == MESSAGES_SCHEMA
    assert parsed.batch.hops.num_rows == parsed.batch.messages.num_rows
    rows: list[dict[str, Any]] = parsed.batch.hops.to_pylist()
    return rows


def test_a_line_becomes_a_hop_and_the_message_that_it_counts() -> None:
    parsed = read(
        {
            "id": "m-1",
            "time": "2027-01-15T08:00:00.25Z",
            "tenant": "acme",
            "source": "web",
            "integration": "ga4",
            "pipeline": "main",
            "stage": "delivered",
            "outcome": "error",
            "reason": "timeout",
            "latency_ms": 340,
            "queue_ms": 12.5,
            "bytes": 512,
            "router": "r1",
            "version": "2.1",
            "error": "no answer in 5000 ms",
        }
    )
    (found,) = hops(parsed)
    assert found.pop("fingerprint") > 0
    assert found == {
        "time_ns": 1_800_000_000_250_000_000,
        "id": "m-1",
        "tenant": "acme",
        "source": "web",
        "integration": "ga4",
        "pipeline": "main",
        "stage": "delivered",
        "outcome": "error",
        "reason": "timeout",
        "router": "r1",
        "version": "2.1",
        "latency_s": 0.34,
        "queue_s": 0.0125,
        "bytes": 512,
        "error": "no answer in 5000 ms",
        "pattern": "no answer in <*> ms",
    }
    (counted,) = parsed.batch.messages.to_pylist()
    shared = counted.keys() & found.keys()
    assert {name: counted[name] for name in shared} == {name: found[name] for name in shared}
    assert (counted["count"], counted["db"], counted["tags"]) == (1, "d", "")
    assert (parsed.line_count, parsed.rejected_count) == (1, 0)
    assert parsed.has_all_timestamps


SAME_AS_LINES = [
    ("nothing is said", {}, "messages count=1"),
    ("empty words", {"tenant": "", "stage": "", "reason": ""}, "messages count=1"),
    ("null words", {"tenant": None, "outcome": None, "count": None}, "messages count=1"),
    ("host names the router", {"host": "h", "instance": "i"}, "messages,host=h,instance=i count=1"),
    ("router wins", {"host": "h", "router": "r"}, "messages,host=h,router=r count=1"),
    (
        "a dotted version",
        {"service.version": "3", "service.instance.id": "x"},
        "messages,service.version=3,service.instance.id=x count=1",
    ),
    ("seconds win", {"latency_ms": 5, "latency_s": 2}, "messages latency_ms=5,latency_s=2"),
    ("milliseconds", {"queue_ms": 1500}, "messages queue_ms=1500"),
    ("a count", {"count": 7, "bytes": 90}, "messages count=7,bytes=90i"),
    ("a word that is a number", {"tenant": 12}, "messages,tenant=12 count=1"),
    ("an outcome that nobody knows", {"outcome": "lost"}, "messages,outcome=lost count=1"),
]


@pytest.mark.parametrize(
    ("line", "influx"), [row[1:] for row in SAME_AS_LINES], ids=[row[0] for row in SAME_AS_LINES]
)
def test_what_is_missing_is_what_the_line_protocol_makes_of_it(
    line: dict[str, Any], influx: str
) -> None:
    same = parse(f"{influx} {NOW_NS}".encode(), precision="ns", db="d", received_at_ns=NOW_NS)
    found, expected = (parsed.batch.messages.drop(["tags"]) for parsed in (read(line), same))
    assert found.to_pylist() == expected.to_pylist()


TIMES = [
    ("2027-01-15T08:00:00Z", NOW_NS),
    ("2027-01-15T08:00:00.123456789Z", NOW_NS + 123_456_789),
    ("2027-01-15T13:30:00.5+05:30", NOW_NS + 500_000_000),
    ("2027-01-15t08:00:00z", NOW_NS),
    ("2027-01-15 08:00:00Z", NOW_NS),
    ("2027-01-15T08:00:00.1234567899999Z", NOW_NS + 123_456_789),
    ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
    (1_800_000_000, NOW_NS),
    (1_800_000_000.5, NOW_NS + 500_000_000),
    (1_800_000_000_123, NOW_NS + 123_000_000),
    (1_800_000_000_123_456, NOW_NS + 123_456_000),
    (1_800_000_000_123_456_789, NOW_NS + 123_456_789),
    ("1800000000123", NOW_NS + 123_000_000),
    (0, 0),
    (99_999_999_999, None),  # seconds of the year 5138
    (100_000_000_000, 100_000_000_000_000_000),  # milliseconds of 1973
    ("1970-01-01T00:00:00Z", 0),
    (None, NOW_NS),
]


@pytest.mark.parametrize(("time", "expected"), TIMES, ids=str)
@pytest.mark.parametrize("beside", [None, "2027-01-15T08:00:00Z", 1_800_000_000, 1.8e9 + 0.5])
def test_times_are_read_whatever_stands_beside_them(
    time: object, expected: int | None, beside: object
) -> None:
    for parsed in (read({"time": time}, {"time": beside}), read({"time": beside}, {"time": time})):
        found = parsed.batch.messages.column("time_ns").to_pylist()
        assert len(found) == 2 - (expected is None)
        assert expected is None or expected in found
    assert parsed.rejected_count == (expected is None)
    assert parsed.has_all_timestamps == (time is not None and beside is not None)


REFUSED: list[tuple[str, object, str, str]] = [
    ("no JSON", "oops", "syntax", "not JSON: Expecting value at column 1"),
    ("cut short", '{"id":"a"', "syntax", "not JSON: Expecting ',' delimiter at column 10"),
    ("two objects", '{"id":"a"}{"id":"b"}', "syntax", "more than one JSON value; send one object"),
    ("an array", '[{"id":"a"}]', "syntax", "not an object; send one object a line, no array"),
    ("a number alone", "5", "syntax", "not an object; send one object a line"),
    ("null alone", "null", "syntax", "not an object; send one object a line"),
    ("NaN", '{"latency_ms":NaN}', "syntax", "not JSON: NaN, an infinite number"),
    ("an infinite number", '{"latency_ms":1e999}', "syntax", "not JSON: NaN, an infinite"),
    ("a number of 5,000 digits", '{"x":' + "1" * 5000 + "}", "syntax", "a number is too long"),
    ("too deep", '{"x":' + "[" * 5000 + "]" * 5000 + "}", "syntax", "nested too deeply"),
    ("a long line", "[" * 1_000_001, "syntax", "not JSON: something in its 1,000,001 bytes"),
    ("a raw NUL", '{"id":"\0"}', "syntax", "not JSON: Invalid control character at column 8"),
    ("a name with NUL", '{"tenant":"a\\u0000"}', "syntax", "tenant has a NUL character"),
    ("half a surrogate pair", '{"tenant":"\\ud800"}', "syntax", "tenant has a NUL character"),
    ("a name that is an object", {"tenant": {"a": 1}}, "syntax", "tenant must be text"),
    ("a name that is a list", {"source": ["web"]}, "syntax", "source must be text"),
    ("a name without end", {"stage": "s" * 1025}, "syntax", "stage has more than 1024 characters"),
    ("an id without end", {"id": "s" * 257}, "syntax", "id has more than 256 bytes"),
    ("a latency in words", {"latency_ms": "fast"}, "syntax", "latency_ms must be a number, not"),
    ("a latency that is true", {"queue_s": True}, "syntax", "queue_s must be a number, not 'true'"),
    ("bytes by halves", {"bytes": 1.5}, "syntax", "bytes must be a whole number, 0 or more"),
    ("negative bytes", {"bytes": -1}, "syntax", "bytes must be a whole number, 0 or more"),
    ("a negative count", {"count": -1}, "count", "field count must be a whole number"),
    ("a count beyond all counts", {"count": 2e15}, "count", "field count must be a whole number"),
    ("a time in words", {"time": "yesterday"}, "stamp", "time must be RFC 3339 with an offset"),
    ("no seconds", {"time": "2027-01-15T08:00Z"}, "stamp", "time must be RFC 3339 with an"),
    ("hexadecimal", {"time": "0x6B49D200"}, "stamp", "time must be RFC 3339 with an"),
    ("no offset", {"time": "2027-01-15T08:00:00"}, "stamp", "time must be RFC 3339 with an"),
    ("no such day", {"time": "2027-02-30T08:00:00Z"}, "stamp", "time must be RFC 3339 with"),
    ("before 1970", {"time": -1}, "stamp", "time -1 is before 1970; check the clock"),
    ("long before", {"time": "0001-01-01T00:00:00Z"}, "stamp", "is before 1970; check the clock"),
    ("years ahead", {"time": "9999-01-01T00:00:00Z"}, "stamp", "more than 3600 s ahead of our"),
    ("beyond numbers", {"time": 1e300}, "stamp", "more than 3600 s ahead of our clock"),
    ("an hour ahead", {"time": 1_800_003_601}, "stamp", "is more than 3600 s ahead of our clock"),
]


@pytest.mark.parametrize(
    ("line", "reason", "text"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_bad_line_is_told_with_its_number_and_the_good_ones_stay(
    line: object, reason: str, text: str
) -> None:
    parsed = read({"id": "before"}, "", "  \r", line, {"id": "after", "time": 1_800_003_600})
    assert [row["id"] for row in hops(parsed)] == ["before", "after"]
    (told,) = parsed.rejected
    assert (told.line_number, told.reason_class) == (4, reason)
    assert text in told.reason
    assert (parsed.line_count, parsed.rejected_count) == (3, 1)
    assert sum(parsed.rejected_by.values()) == 1


def test_invalid_utf_8_costs_only_its_line() -> None:
    parsed = raw(b'{"id":"a"}\n{"id":"\xff"}\n{"id":"\xc3\xa4"}')
    assert [row["id"] for row in hops(parsed)] == ["a", "\u00e4"]
    assert parsed.rejected[0].reason == "invalid UTF-8; text must be sent as UTF-8"
    assert parsed.rejected_by == {("encoding", ""): 1}


@pytest.mark.parametrize(
    "body", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"], ids=repr
)
def test_a_body_without_lines_is_nothing(body: bytes) -> None:
    parsed = raw(body)
    assert (parsed.line_count, parsed.batch.row_count) == (0, 0)


@pytest.mark.parametrize(
    "squeeze",
    [gzip.compress, zlib.compress, pa.Codec("zstd").compress],
    ids=["gzip", "zlib", "zstd"],
)
def test_what_is_not_said_to_be_compressed_is_not_unpacked(squeeze: Callable[[bytes], Any]) -> None:
    parsed = raw(bytes(squeeze(b'{"id":"a"}')))
    assert hops(parsed) == []
    assert parsed.line_count == parsed.rejected_count > 0


@pytest.mark.parametrize("body", [b'\xef\xbb\xbf{"id":"a"}', b'{"id":"a"}\r\n', b'\t{"id":"a"} \n'])
def test_marks_and_blanks_around_a_line_do_not_matter(body: bytes) -> None:
    assert [row["id"] for row in hops(raw(body))] == ["a"]


def test_other_keys_are_left_out_whatever_they_hold() -> None:
    found = hop({"id": "a", "payload": {"secret": [1]}, "user_id": "u1", "": 1})
    assert found == hop({"id": "a"})


def test_the_first_of_two_equal_keys_counts() -> None:
    assert hop('{"id":"a","id":"b"}')["id"] == "a"


UNUSUAL = [
    b'{"id": "b", "time": 1800000000, "host": "h"}',
    b'{"id": "b", "time": 1800000000, "queue_ms" : 5}',
    b'{"id": "b: c", "time": 1800000000, "error":"x: y"}',
    b'{"id": "b", "unknown": "x", "time": null, "version": "v"}',
    b'{"id": "b", "id": "c", "version": "v"}',
    b'{"id": "b", "time": 1800000000, "unknown": 1}',
    b'{"error": {"id": "c", "version": "v"}}',
    b'{"version":\t"v"}',
    b"{}",
]


@pytest.mark.parametrize("line", UNUSUAL, ids=str)
def test_a_key_is_found_though_no_body_before_had_it(line: bytes) -> None:
    schema = pl.Schema(
        dict.fromkeys(TEXT_KEYS, pl.String()) | dict.fromkeys(NUMBER_KEYS, pl.Float64())
    )
    habitual = b'{"id": "a", "time": 1800000000}'
    habit = Habit()
    for _ in range(3):
        assert habit.read(habitual, schema) is not None
    for _ in range(3):
        found, alone = habit.read(habitual + b"\n" + line, schema), Habit().read(line, schema)
        assert found is not None
        assert alone is not None
        assert found.row(1, named=True) == alone.row(0, named=True)


def test_seconds_that_nanoseconds_do_not_reach_are_no_other_time() -> None:
    parsed = raw(b'{"id": "a", "time": 20000000000}')
    assert "more than 3600 s ahead of our clock" in parsed.rejected[0].reason


def test_a_latency_below_zero_is_unknown_and_the_hop_stays() -> None:
    assert hop({"latency_ms": -3, "queue_s": -0.1})["latency_s"] is None


def test_an_error_that_is_an_object_is_kept_as_text() -> None:
    assert hop({"outcome": "error", "error": {"code": 5}})["error"] == '{"code": 5}'


def test_only_what_failed_has_a_fingerprint() -> None:
    lines = [{"outcome": word, "error": "no route"} for word in ("ok", "retried", "filtered")]
    lines += [{"outcome": word, "error": "no route"} for word in ("error", "dropped", "expired")]
    lines += [{"outcome": "error"}, {"outcome": "error", "error": ""}]
    found = hops(read(*lines))
    assert [bool(row["fingerprint"]) for row in found] == [False] * 3 + [True] * 3 + [False] * 2
    assert [row["pattern"] for row in found] == [""] * 3 + ["no route"] * 3 + [""] * 2
    assert [row["error"] for row in found] == ["no route"] * 6 + [None] * 2


def test_a_long_error_is_cut() -> None:
    found = hop({"outcome": "error", "error": "word " * 1000})
    assert (len(found["error"]), len(found["pattern"])) == (2000, 300)


def test_more_lines_than_fit_in_memory_are_refused_as_a_whole() -> None:
    assert raw(b"{}\n" * (MAX_LINES - 1)).line_count == MAX_LINES - 1
    with pytest.raises(BodyTooLarge, match="lines of one body"):
        raw(b"{}\n" * (MAX_LINES + 1))


def test_many_bad_lines_are_found_and_too_many_end_the_search() -> None:
    good = [{"id": str(number)} for number in range(MAX_UNREADABLE)]
    lines = [one for pair in zip(good, ["{'id': 1}"] * MAX_UNREADABLE, strict=True) for one in pair]
    parsed = read(*lines)
    assert [row["id"] for row in hops(parsed)] == [one["id"] for one in good]
    assert (parsed.rejected_count, len(parsed.rejected)) == (MAX_UNREADABLE, 100)
    assert [line.line_number for line in parsed.rejected[:3]] == [2, 4, 6]
    with pytest.raises(
        PayloadError, match=r"more than 500 lines are no JSON objects.*; line 2: not"
    ):
        read(*lines, "oops")


_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8), st.sampled_from(["acme", "ok", "2027-01-15T08:00:00Z", "12"]),
)  # fmt: skip
_values = st.one_of(_scalars, st.lists(_scalars, max_size=2), st.dictionaries(st.text(), _scalars))
_keys = st.sampled_from(
    [
        "id",
        "time",
        "tenant",
        "stage",
        "outcome",
        "host",
        "latency_ms",
        "bytes",
        "count",
        "error",
        "x",
    ]
)
_lines = st.one_of(
    st.dictionaries(_keys, _values, max_size=6).map(lambda one: json.dumps(one).encode()),
    st.binary(max_size=12),
    st.sampled_from([b"", b" \t", b"{}", b"{}\r", b"[]", b"\x0b", b"\xc2\xa0"]),
)


@settings(max_examples=120, deadline=None)
@example([b"{}", b"\x0b", b"{}"])
@given(st.lists(_lines, max_size=12))
def test_whatever_comes_each_line_is_kept_or_told(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    parsed = raw(body)
    numbers = [at for at, line in enumerate(body.split(b"\n"), 1) if line.strip(b" \t\r")]
    if body.startswith(b"\xef\xbb\xbf"):
        return
    assert parsed.line_count == len(numbers)
    assert len(hops(parsed)) == parsed.line_count - parsed.rejected_count
    assert {line.line_number for line in parsed.rejected} <= set(numbers)
    assert sum(parsed.rejected_by.values()) == parsed.rejected_count


@settings(max_examples=40, deadline=None)
@given(st.lists(_lines, max_size=8), st.lists(_lines, max_size=8))
def test_lines_are_the_same_alone_and_beside_others(one: list[bytes], two: list[bytes]) -> None:
    one, two = ([line for line in part if b"\n" not in line] for part in (one, two))
    together = hops(raw(b"\n".join([b"", *one, *two])))
    apart = hops(raw(b"\n".join([b"", *one]))) + hops(raw(b"\n".join([b"", *two])))
    assert together == apart
