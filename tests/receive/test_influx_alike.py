"""Bodies in which every line has the same fields take a shorter way to the same rows."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings

from streamgauge.receive.influx import eights, parse
from streamgauge.receive.influx.fields import explode
from streamgauge.receive.influx.lines import split

NOW_NS = 1_700_000_000_000_000_000
NUMBERS = st.one_of(
    st.from_regex(r"[0-9]{0,9}\.?[0-9]{0,9}", fullmatch=True),
    st.sampled_from(["-1", "1e3", "0.1", ".5", "5.", ".", "", "1.2.3", "007", "1/2", "1:2"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
WHOLES = st.one_of(
    st.integers(0, 10**9).map(str), st.integers(-(2**63), 2**63 - 1).map(str), st.just("0x1")
)
NAMES = st.sampled_from(
    ["count", "latency_ms", "latency_s", "bytes", "queue_ms", "x", "é", "f" * 9]
)


@st.composite
def alike_bodies(draw: st.DrawFn) -> bytes:
    """Lines with the same names, whose values are of one kind in each column, nearly always."""
    measurement = draw(st.sampled_from(["messages", "messages", "queue", "cpu"]))
    columns = draw(st.lists(st.tuples(NAMES, st.booleans()), min_size=1, max_size=3))
    stamps = st.integers(0, NOW_NS) if draw(st.booleans()) else st.integers(NOW_NS // 2, NOW_NS)
    lines = []
    for _ in range(draw(st.integers(1, 5))):
        pairs = [
            f"{name}={draw(WHOLES)}i" if whole else f"{name}={draw(NUMBERS)}"
            for name, whole in columns
        ]
        lines.append(f"{measurement},tenant=a {','.join(pairs)} {draw(stamps)}\n")
    return "".join(lines).encode()


@settings(max_examples=200, deadline=None)
@given(alike_bodies())
@example(b"messages,tenant=a count=1i,count=2i 5\n")
@example(b"m a=1i 1700000000000000000\n")
@example(b"messages,tenant=abcdefgh count=9007199254740993i 1700000000000000000\n")
def test_a_body_is_read_like_each_of_its_lines(body: bytes) -> None:
    whole = parse(body, precision="ns", db="d", received_at_ns=NOW_NS)
    # A comment of its own in front of each line, and a string behind it, bar the short way.
    single = body.replace(b"\n", b'\nz y="" 5\n')
    parts = parse(single, precision="ns", db="d", received_at_ns=NOW_NS)
    assert whole.rejected_count == parts.rejected_count
    for ours, theirs in (
        (whole.batch.messages, parts.batch.messages),
        (whole.batch.queue, parts.batch.queue),
    ):
        assert ours.to_pylist() == theirs.to_pylist()
    others = [row for row in parts.batch.points.to_pylist() if row["measurement"] != "z"]
    assert whole.batch.points.to_pylist() == others


def numbers(words: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    data = np.frombuffer(("padding:" + "|".join(words) + "|").encode(), np.uint8)
    ends = np.flatnonzero(data == ord("|"))
    return data, np.append(8, ends[:-1] + 1), ends


@settings(max_examples=200, deadline=None)
@given(st.lists(st.from_regex(r"[0-9]{1,8}", fullmatch=True), min_size=1, max_size=8))
def test_eight_digits_are_read_as_they_stand(words: list[str]) -> None:
    found = eights.whole_numbers(*numbers(words))
    assert found is not None
    assert found.tolist() == [int(word) for word in words]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.from_regex(r"[0-9]{1,4}\.?[0-9]{0,3}|\.[0-9]{1,7}", fullmatch=True), min_size=1))
def test_decimals_are_the_very_floats_that_python_reads(words: list[str]) -> None:
    found = eights.decimals(*numbers(words))
    assert found is not None
    assert found.tolist() == [float(word) for word in words]


@settings(max_examples=200, deadline=None)
@given(st.integers(9, 19), st.data())
def test_time_stamps_of_one_length_are_read_as_they_stand(size: int, data: st.DataObject) -> None:
    most = min(10**size - 1, 921 * 10**16)
    values = data.draw(st.lists(st.integers(0, most), min_size=1, max_size=8))
    body, start, end = numbers(["x" * 20, *(str(value).zfill(size) for value in values)])
    found = eights.stamps(body, start[1:], end[1:])
    assert found is not None
    assert found.tolist() == values


@pytest.mark.parametrize("word", ["", "123456789", "12a", "-1", "1 2", "1/2", "1:2", "+1", "٣"])
def test_what_is_no_short_number_is_left_to_others(word: str) -> None:
    assert eights.whole_numbers(*numbers(["1", word, "2"])) is None
    assert eights.decimals(*numbers(["1", word, "2"])) is None


@pytest.mark.parametrize("word", [".", "1..2", "1.2.3", "1.2e3", "-.5"])
def test_what_is_no_short_decimal_is_left_to_others(word: str) -> None:
    assert eights.decimals(*numbers(["1.5", word])) is None


def test_common_bodies_take_the_short_way() -> None:
    body = b"".join(
        b"messages,tenant=t%d count=%di,latency_ms=%d.25 5\n" % (n, n, n) for n in range(99)
    )
    raw = np.frombuffer(body, np.uint8)
    lines = split(raw, raw)
    fields = explode(raw, raw, lines.fields_start, lines.fields_end)
    assert [column.name for column in fields.columns] == ["count", "latency_ms"]
