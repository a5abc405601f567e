"""The vectorised parser and the reference agree on whatever is sent."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given, settings

from streamgauge.model.batch import Parsed
from streamgauge.receive.influx import parse

NOW_NS = 1_700_000_000_000_000_000


def _load_reference() -> ModuleType:
    path = Path(__file__).parent / "reference.py"
    spec = importlib.util.spec_from_file_location("line_protocol_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


reference = _load_reference()


def rows(table: Any) -> list[tuple[object, ...]]:
    """Rows without the name space, which is the same in all."""
    return [tuple(row.values()) for row in table.drop_columns(["db"]).to_pylist()]


def parsed(body: bytes, precision: str = "ns") -> Parsed:
    return parse(body, precision=precision, db="d", received_at_ns=NOW_NS)


def assert_agree(body: bytes, precision: str = "ns") -> None:
    ours, theirs = parsed(body, precision), reference.read(body, precision, NOW_NS)
    told = [line.line_number for line in ours.rejected]
    assert told == theirs.rejected[:100]
    assert ours.rejected_count == len(theirs.rejected)
    assert ours.line_count == theirs.line_count
    assert sum(ours.rejected_by.values()) == ours.rejected_count
    assert rows(ours.batch.messages) == theirs.messages
    assert rows(ours.batch.queue) == theirs.queue
    assert rows(ours.batch.points) == theirs.points
    assert ours.has_all_timestamps == theirs.has_all_timestamps


def escaped(text: str, special: str) -> str:
    return "".join("\\" + c if c in special else c for c in text)


WORDS = st.text(st.sampled_from('abé"#.0-:€ ,=\t'), min_size=1, max_size=5)
NAMES = st.one_of(
    st.sampled_from(["tenant", "source", "host", "router", "version", "stage", "count", "bytes"]),
    st.sampled_from(["latency_ms", "latency_s", "queue_s", "backlog", "oldest_age_s", "x"]),
    WORDS,
)
MEASUREMENTS = st.one_of(st.sampled_from(["messages", "queue", "cpu"]), WORDS)
INTEGERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(0, 3),
    st.sampled_from([2**53, 2**53 + 1, -(2**63)]),
)
VALUES = st.one_of(
    INTEGERS.map(lambda n: f"{n}i"),
    st.integers(0, 2**64 - 1).map(lambda n: f"{n}u"),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["1", "1.", ".5", "-.5", "1e3", "1E+3", "007", "-0", "1e400", "2.0", "0"]),
    st.sampled_from(["t", "T", "true", "True", "TRUE", "f", "F", "false", "False", "FALSE"]),
    st.text(st.sampled_from('ab ,=\n"\\é#'), max_size=6).map(
        lambda text: '"' + escaped(text, '"\\') + '"'
    ),
)
STAMPS = st.one_of(
    st.just(""),
    st.sampled_from(["0", "1700000000000000000", "1700003600000000000", "1700003600000000001"]),
    st.integers(-5, 2**63).map(str),
    st.integers(NOW_NS - 10**12, NOW_NS).map(str),
)


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A line that is mostly right."""
    key = escaped(draw(MEASUREMENTS).lstrip(" \t#,") or "m", ", ")
    for name, value in draw(st.dictionaries(NAMES, WORDS, max_size=4)).items():
        key += f",{escaped(name, ',= ')}={escaped(value, ',= ')}"
    pairs = draw(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4))
    fields = ",".join(f"{escaped(name, ',= ')}={value}" for name, value in pairs)
    gap = draw(st.sampled_from([" ", " ", " ", "  ", " \t"]))
    stamp = draw(STAMPS)
    end = draw(st.sampled_from(["", "", "", "\r", " ", "  \r"]))
    lead = draw(st.sampled_from(["", "", "", " ", "\t "]))
    return f"{lead}{key}{gap}{fields}{gap + stamp if stamp else ''}{end}"


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Lines, comments and blank lines."""
    line = st.one_of(lines(), lines(), lines(), st.sampled_from(["", '# c, d="', "   ", "\r", "#"]))
    text = "\n".join(draw(st.lists(line, max_size=6)))
    return (text + draw(st.sampled_from(["", "\n"]))).encode()


PIECES = st.sampled_from(
    [
        *(b",", b"=", b" ", b"\\", b'"', b"\n", b"#", b"\r\n", b"\t", b"\0"),
        *(b"\xff", b"\xc3", b"i", b"e", b"x", b"\x01", b"\x02"),
        *(b"\\\\", b'\\"', b'="', b'",', b'" ', b"m f=1", b"m f=1 5\n"),
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A body with a few bytes put in, taken out or doubled."""
    body = draw(bodies())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 3)))
        body = body[:start] + draw(st.one_of(PIECES, st.just(b""))) + body[end:]
    return body


@settings(max_examples=150, deadline=None)
@given(bodies(), st.sampled_from(["ns", "u", "ms", "s", "m", "h"]))
@example(b'm f="a\nb" 5\nm f=1', "ns")
@example(b"messages,tenant=a count=1,count=2,latency_ms=1,latency_s=2 5", "s")
def test_well_formed_bodies_are_read_as_the_reference_reads_them(
    body: bytes, precision: str
) -> None:
    assert_agree(body, precision)


@settings(max_examples=250, deadline=None)
@given(mutated())
@example(b'm f="abc 1\nm f=1 5')
@example(b'm f="a\\\nm f="b')
@example(b'm a="x",b="y\nm c=1 5\nm d="z" 5')
@example(b"m,t=a\\\\,b=c f=1")
@example(b"# \xff\nm f=1")
@example(b"m f=1\n# \xff")
@example(b'm "a"="b",c"=1')
@example(b"m f=1 \t5\n m \tf=1 5")
@example(b"m f=1\\ 5")
@example(b'm f="\x01\x02",g=\x01a\x02')
def test_damaged_bodies_lose_the_same_lines(body: bytes) -> None:
    assert_agree(body)


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES, max_size=30).map(b"".join))
def test_rubble_is_read_as_the_reference_reads_it(body: bytes) -> None:
    assert_agree(body)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_and_every_line_is_kept_or_refused(body: bytes) -> None:
    ours = parsed(body)
    batch = ours.batch
    assert 0 <= ours.rejected_count <= ours.line_count
    assert len(ours.rejected) == min(ours.rejected_count, 100)
    assert batch.row_count >= ours.line_count - ours.rejected_count
    assert all(line.reason for line in ours.rejected)
