"""What a segment makes of hops: rows of their own, errors by the minute, samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.lines import NOW, Row, body, failed_hop

from streamgauge.model.batch import Parsed
from streamgauge.store import columns
from streamgauge.store.journal.intake import body_of
from streamgauge.store.journal.records import Kind, decode_body, encode_body, frame, read_frames
from streamgauge.store.rollup.segment import Segment, build_segment

HOUR = 3600
OF_NOW = int(NOW) // HOUR
FORMER = Path(__file__).parent / "golden" / "body_of_four_tables.frame"
"""A frame as the journal wrote it before bodies had durations and hops."""


def segment_of(*bodies: Parsed, came: float = NOW) -> Segment:
    return build_segment([(seq, body_of(one, None, came)) for seq, one in enumerate(bodies, 1)])


def test_a_body_with_all_its_tables_comes_back_from_its_payload() -> None:
    durations: list[Row] = [{"at": NOW, "tenant": "a", "count": 9, "latency_s": 0.5}]
    hops = [failed_hop("m1", "no route", at=NOW), {"id": "m2", "at": NOW}]
    written = body_of(body(durations=durations, hops=hops), b"key", NOW)
    read = decode_body(encode_body(written).to_pybytes())
    assert [table.to_pylist() for table in read.tables] == [
        table.to_pylist() for table in written.tables
    ]
    assert read.line_count == 3, "a hop is counted by its row of messages"


def test_a_body_of_a_former_version_is_read() -> None:
    with FORMER.open("rb") as stream:
        (only,) = read_frames(stream)
    read = decode_body(only.payload)
    assert (only.kind, only.number, only.second) == (Kind.BODY, 7, 2)
    assert read.messages.column("tenant").to_pylist() == ["former"]
    assert read.rejected.column("reason").to_pylist() == ["why"]
    assert (read.durations, read.hops) == (columns.NO_MESSAGES, columns.NO_HOPS)
    assert frame(only.kind, only.number, only.second, only.payload)


def test_each_hop_has_its_own_number_and_hour() -> None:
    hops: list[Row] = [
        {"id": "now", "at": NOW},
        {"id": "late", "at": NOW - HOUR},
        {"id": "ancient", "at": NOW - 100 * HOUR},
    ]
    rows = segment_of(body(hops=hops), body(hops=hops[:1])).tables["hops"].to_pylist()
    assert [row["id"] for row in rows] == ["ancient", "late", "now", "now"], "by minute"
    rows.sort(key=lambda row: row["seq"])
    assert [row["id"] for row in rows] == ["now", "late", "ancient", "now"]
    assert len({row["seq"] for row in rows}) == 4
    assert [row["hour"] - OF_NOW for row in rows] == [0, -1, -24, 0]


def test_hops_without_an_id_count_and_are_no_part_of_a_journey() -> None:
    hops = [failed_hop("", "x", at=NOW), failed_hop("m", "x", at=NOW)]
    tables = segment_of(body(hops=hops)).tables
    assert tables["hops"].column("id").to_pylist() == ["m"]
    assert [row["count"] for row in tables["error_minute"].to_pylist()] == [2]
    assert "hops" not in segment_of(body(hops=hops[:1])).tables


ERRORS = {
    "what went well is no error": ({"id": "m", "outcome": "ok"}, {}),
    "an attempt that will be made again is none": (failed_hop("m", "x", outcome="retried"), {}),
    "an error without a text is not grouped": (failed_hop("m", "", fingerprint=0), {}),
    "a text without a fingerprint is not grouped": (failed_hop("m", "x", fingerprint=0), {}),
    "an error with a text is": (failed_hop("m", "x"), {("x", "error"): 1}),
    "what was dropped is, too": (failed_hop("m", "x", outcome="dropped"), {("x", "dropped"): 1}),
    "a line may stand for several": (failed_hop("m", "x", count=7), {("x", "error"): 7}),
}


@pytest.mark.parametrize(("hop", "expected"), ERRORS.values(), ids=ERRORS.keys())
def test_which_hops_are_errors_of_a_group(hop: Row, expected: dict[tuple[str, str], int]) -> None:
    tables = segment_of(body(hops=[{"at": NOW, **hop}])).tables
    rows = tables["error_minute"].to_pylist() if "error_minute" in tables else []
    assert {(row["pattern"], row["outcome"]): row["count"] for row in rows} == expected
    assert ("error_samples" in tables) is bool(expected)


def test_errors_are_summed_by_minute_flow_and_fingerprint() -> None:
    hops = [
        failed_hop(f"m{n}", pattern, at=NOW + n, tenant=tenant)
        for n in range(120)
        for pattern in ("x", "y")
        for tenant in "ab"
    ]
    rows = (
        segment_of(body(hops=hops[:100]), body(hops=hops[100:])).tables["error_minute"].to_pylist()
    )
    counts = {
        (row["minute"] - NOW // 60, row["tenant"], row["pattern"]): row["count"] for row in rows
    }
    assert counts == {(m, t, p): 60 for m in (0, 1) for t in "ab" for p in "xy"}
    assert all(row["last_ns"] - row["first_ns"] == 59 * 10**9 for row in rows)
    assert {row["fingerprint"] for row in rows} == {hop["fingerprint"] for hop in hops}


def test_of_each_fingerprint_and_customer_the_newest_few_are_samples_the_newest_last() -> None:
    loud = [failed_hop(f"loud{n}", "x", at=NOW + 50 - n) for n in range(50)]
    small = failed_hop("small", "x", at=NOW, tenant="small")
    rows = segment_of(body(hops=[small, *loud])).tables["error_samples"].to_pylist()
    found = {row["tenant"]: [sample["2"] for sample in row["samples"]] for row in rows}
    assert found == {"a": ["loud2", "loud1", "loud0"], "small": ["small"]}
    assert [sample["3"] for sample in rows[0]["samples"]][-1] in ("x loud0", "x small")
