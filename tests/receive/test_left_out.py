"""Keys of hops that nobody understands: found, told to the sender, and remembered in bounds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.messages.left_out import KNOWN, MAX_KEYS, LeftOut, advice, keys_left_out

NOW = 1_800_000_000.0
DOCS = Path(__file__).parents[2] / "docs/hops.md"


def lines(*hops: object) -> bytes:
    return b"\n".join(json.dumps(hop).encode() for hop in hops) + b"\n"


CASES = {
    "nothing": (b"", []),
    "all is understood": (lines(dict.fromkeys(sorted(KNOWN), 1)), []),
    "one of another name": (lines({"id": "a", "latencyMs": 3}), ["latencyMs"]),
    "the first line": (lines({"a": 1}, {}, {}, {}), ["a"]),
    "the last line": (lines({}, {}, {}, {"z": 1}), ["z"]),
    "a line in the middle": (lines({}, {}, {"m": 1}, {}), ["m"]),
    "each once": (lines({"a": 1}, {"b": 1}, {"a": 1}), ["a", "b"]),
    "a payload's own keys are not looked at": (lines({"payload": {"card": 1}}), ["payload"]),
    "no object": (lines([1], {"b": 1}), ["b"]),
    "not JSON": (b'{"a":\n{"b":1}\n', ["b"]),
    "not UTF-8": (b'{"\xff":1}\n{"b":1}', ["b"]),
    "blank lines at the end": (b'{"a":1}\n \n\n', ["a"]),
    "a very long one": (lines({"x" * 500: 1}), ["x" * 60]),
    "very many": (lines({f"k{n:02d}": n for n in range(50)}), [f"k{n:02d}" for n in range(20)]),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES.keys())
def test_which_keys_are_left_out(body: bytes, expected: list[str]) -> None:
    assert keys_left_out(body) == expected


@given(st.binary(max_size=300))
def test_whatever_comes_is_looked_through(body: bytes) -> None:
    assert not KNOWN & set(keys_left_out(body))


def test_the_keys_are_those_of_the_documentation() -> None:
    table = DOCS.read_text().partition("| key | when missing")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert {key for cell in first for key in re.findall(r"`([^`]+)`", cell)} == KNOWN


def test_they_are_counted_by_name_and_those_seen_last_stay() -> None:
    clock = SimulatedClock(NOW)
    left_out = LeftOut(clock)
    left_out.note(["latencyMs"])
    for number in range(MAX_KEYS - 1):
        clock.advance(1)
        left_out.note([f"k{number}"])
    left_out.note(["latencyMs"])
    left_out.note(["new"])
    found = left_out.list_unmapped()
    assert [one.name for one in found][:2] == ["new", "latencyMs"]
    assert (len(found), found[1].series_count, found[1].first_at) == (MAX_KEYS, 2, NOW)
    assert "k0" not in {one.name for one in found}


@pytest.mark.parametrize(
    ("name", "near"),
    [("latencyMs", "latency_ms"), ("Tenant", "tenant"), ("queue-ms", "queue_ms"), ("card", None)],
)
def test_the_advice_names_what_may_have_been_meant(name: str, near: str | None) -> None:
    assert advice(name).startswith(f"is `{near}` meant?" if near else "A hop has the keys")
