"""Sums become lines from which the server makes the same sums again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamgauge.client.lines import LABELS, label, message_lines, plain, tags, value_line
from streamgauge.client.losses import Losses
from streamgauge.client.tally import Tally, bucket_of
from streamgauge.model.batch import Parsed
from streamgauge.receive.influx import parse
from streamgauge.store.rollup.histogram import bucket_of as servers_bucket_of

AT_NS = 1_795_500_000_000_000_000

durations = st.sampled_from([None, 0.0]) | st.floats(1e-12, 1e6)
names = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
texts = st.text(max_size=20)


def understood(text: str) -> Parsed:
    return parse(text.encode(), precision="ns", db="d", received_at_ns=AT_NS)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), durations, durations, st.integers(0, 5)), max_size=60)
)
def test_counts_and_both_histograms_arrive_exactly(events: list[Any]) -> None:
    tally = Tally(Losses(), 10, lambda: None)
    expected: dict[str, Counter[int]] = {"latency_s": Counter(), "queue_s": Counter()}
    for tenant, latency_s, queue_s, count in events:
        tally.append(((tenant, "", "", "", "delivered", "ok", ""), latency_s, queue_s, count, 7))
        for name, value in (("latency_s", latency_s), ("queue_s", queue_s)):
            if value is not None and count:
                expected[name][bucket_of(value)] += count
    lines = list(message_lines(tally.take(), ",router=r", AT_NS))
    parsed = understood("\n".join(text for text, _ in lines))
    assert parsed.rejected_count == 0
    rows = parsed.batch.messages
    assert sum(rows["count"].to_pylist()) == sum(count for *_, count in events)
    assert sum(count for _, count in lines) == sum(count for *_, count in events)
    assert sum(rows["bytes"].to_pylist()) == 7 * len(events)
    assert sum(parsed.batch.points["value"].to_pylist()) == 0
    for name, buckets in expected.items():
        seen: Counter[int] = Counter()
        for value, count in zip(rows[name].to_pylist(), rows["count"].to_pylist(), strict=True):
            if value is not None:
                seen[int(servers_bucket_of(np.array([value]))[0])] += count
        assert seen == buckets


def test_a_series_takes_no_more_lines_than_its_histograms_have_stretches() -> None:
    tally = Tally(Losses(), 10, lambda: None)
    key = ("a", "", "", "", "delivered", "ok", "")
    for number in range(400):
        tally.append((key, 0.001 * 1.5 ** (number % 20), 0.001 * 1.5 ** (number % 7), 1, 0))
    assert len(list(message_lines(tally.take(), "", AT_NS))) <= 20 + 7 - 1


@settings(max_examples=150)
@given(texts, texts, texts)
@example("a\\", "\\", "\\\\")
@example("a,b=c d", "\n", "a\\,b")
@example("'\"", "=", "\ud800")
def test_labels_arrive_whatever_they_are(tenant: str, source: str, reason: str) -> None:
    tally = Tally(Losses(), 10, lambda: None)
    tally.append(((tenant, source, "ga4", "", "delivered", "error", reason), None, None, 3, 0))
    ((text, _),) = message_lines(tally.take(), tags([("router", "r 1")]), AT_NS)
    rows = understood(text).batch.messages.to_pylist()
    (row,) = rows
    assert row["tenant"] == (as_arrived(tenant) or "default")
    assert row["source"] == as_arrived(source)
    assert row["reason"] == as_arrived(reason)
    assert (row["count"], row["router"]) == (3, "r 1")


def as_arrived(text: str) -> str:
    text = plain(text)
    return text.rstrip("\\") + "/" if text.endswith("\\") else text


@settings(max_examples=100)
@given(st.dictionaries(names, st.floats() | st.integers() | st.text() | st.booleans(), max_size=5))
def test_points_can_always_be_read(fields: dict[str, Any]) -> None:
    line = value_line("router report", tags([("a b", "c=d")]), {"always": 1, **fields}, AT_NS)
    assert understood(line).rejected_count == 0 or not all(plain(name) for name in fields)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("a, b=c", r"a\,\ b\=c", id="separators are escaped"),
        pytest.param("a\r\nb", r"a\ \ b", id="line breaks become spaces"),
        pytest.param(" a ", "a", id="blanks at the ends go"),
        pytest.param("x" * 2_000, "x" * 1_000, id="what is too long is cut off"),
        pytest.param(None, "", id="nothing is no label"),
        pytest.param(7, "7", id="numbers are written"),
        pytest.param("größe", "größe", id="other letters stay"),
    ],
)
def test_labels(value: object, expected: str) -> None:
    assert label(value) == expected


def test_every_part_of_a_series_has_its_name() -> None:
    tally = Tally(Losses(), 10, lambda: None)
    tally.append((LABELS, None, None, 1, 0))
    ((text, _),) = message_lines(tally.take(), "", AT_NS)
    shown = ",".join(f"{name}={name}" for name in LABELS)
    assert text == f"messages,{shown} count=1i {AT_NS}"
