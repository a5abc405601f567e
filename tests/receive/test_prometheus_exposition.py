"""What a target shows → numbers, in both formats; and texts that were not meant well."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, generate_latest
from prometheus_client.openmetrics import exposition as open_metrics

from streamgauge.model.errors import PayloadError
from streamgauge.receive.measured import Form
from streamgauge.receive.prometheus.exposition import read_exposition

NOW_NS = 1_790_000_000 * 10**9
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"
BORN_NS = 1_789_999_000 * 10**9

Row = tuple[str, dict[str, str], Form, float, int, int]
"""Name, labels, form, value, time and start in seconds."""


def rows(text: str, kind: str = TEXT, **labels: str) -> list[Row]:
    numbers = read_exposition(text, kind, NOW_NS, labels).numbers
    found = zip(
        (numbers.series[code] for code in numbers.of.tolist()),
        numbers.value.tolist(),
        (numbers.time_ns // 10**9).tolist(),
        (numbers.start_ns // 10**9).tolist(),
        strict=True,
    )
    return [(one.name, dict(one.labels), one.form, *told) for one, *told in found]


NOW = NOW_NS // 10**9
TEXTS: list[tuple[str, str, str, list[Row]]] = [
    (
        "a counter",
        TEXT,
        '# TYPE a_total counter\na_total{t="x"} 5\n',
        [("a_total", {"t": "x"}, Form.CUMULATIVE, 5.0, NOW, 0)],
    ),
    (
        "a gauge that is named like a counter",
        TEXT,
        "# TYPE a_total gauge\na_total 5\n",
        [("a_total", {}, Form.GAUGE, 5.0, NOW, 0)],
    ),
    (
        "no type: the name decides",
        TEXT,
        "a_total 5\nb 6\n",
        [("a_total", {}, Form.CUMULATIVE, 5.0, NOW, 0), ("b", {}, Form.GAUGE, 6.0, NOW, 0)],
    ),
    (
        "a time stamp of its own",
        TEXT,
        "b 6 1789999999000\n",
        [("b", {}, Form.GAUGE, 6.0, NOW - 1, 0)],
    ),
    (
        "one in OpenMetrics",
        OPEN,
        "# TYPE b gauge\nb 6 1789999999.0\n# EOF\n",
        [("b", {}, Form.GAUGE, 6.0, NOW - 1, 0)],
    ),
    (
        "when a counter was made, in OpenMetrics",
        OPEN,
        '# TYPE a counter\na_total{t="x"} 5\na_created{t="x"} 1789999000\n# EOF\n',
        [("a_total", {"t": "x"}, Form.CUMULATIVE, 5.0, NOW, NOW - 1000)],
    ),
    (
        "when a counter was made, as the Python library tells it in the older format",
        TEXT,
        "# TYPE a_total counter\na_total 5\n# TYPE a_created gauge\na_created 1789999000\n",
        [("a_total", {}, Form.CUMULATIVE, 5.0, NOW, NOW - 1000)],
    ),
    (
        "a gauge that is named like that",
        TEXT,
        "# TYPE order_created gauge\norder_created 3\n",
        [("order_created", {}, Form.GAUGE, 3.0, NOW, 0)],
    ),
    (
        "a summary",
        TEXT,
        '# TYPE s summary\ns{quantile="0.5"} 1\ns_sum 9\ns_count 4\n',
        [
            ("s", {"quantile": "0.5"}, Form.GAUGE, 1.0, NOW, 0),
            ("s_sum", {}, Form.CUMULATIVE, 9.0, NOW, 0),
            ("s_count", {}, Form.CUMULATIVE, 4.0, NOW, 0),
        ],
    ),
    (
        "labels that need care",
        TEXT,
        r'b{x="a\"b\\c\nd",empty=""} 1' + "\n",
        [("b", {"x": 'a"b\\c\nd'}, Form.GAUGE, 1.0, NOW, 0)],
    ),
    ("nothing", TEXT, "", []),
]


@pytest.mark.parametrize(("_", "kind", "text", "expected"), TEXTS, ids=[c[0] for c in TEXTS])
def test_a_text_is_read(_: str, kind: str, text: str, expected: list[Row]) -> None:
    assert rows(text, kind) == expected


def test_a_histogram_begins_when_it_was_made_in_all_its_series() -> None:
    text = """\
# TYPE h_seconds histogram
# UNIT h_seconds seconds
h_seconds_bucket{le="0.5"} 1
h_seconds_bucket{le="+Inf"} 2
h_seconds_count 2
h_seconds_sum 3.5
h_seconds_created 1789999000
# EOF
"""
    numbers = read_exposition(text, OPEN, NOW_NS, {}).numbers
    assert [one.name for one in numbers.series] == [
        *["h_seconds_bucket"] * 2,
        "h_seconds_count",
        "h_seconds_sum",
    ]
    assert {one.form for one in numbers.series} == {Form.CUMULATIVE}
    assert [one.unit for one in numbers.series] == ["", "", "", "s"]
    assert set(numbers.start_ns.tolist()) == {BORN_NS}


def test_labels_are_added_and_win_over_the_targets_own() -> None:
    (row,) = rows('b{instance="other",x="1"} 1\n', instance="here:9090", tenant="acme")
    labels = {"exported_instance": "other", "instance": "here:9090", "tenant": "acme", "x": "1"}
    assert row[1] == labels


def test_the_same_object_stands_for_a_series_the_next_time() -> None:
    first = read_exposition("a 1\nb 2\n", TEXT, NOW_NS, {})
    second = read_exposition("c 1\nb 3\n", TEXT, NOW_NS, {}, first.known)
    assert second.numbers.series[1] is first.numbers.series[1]
    assert [name for name, _ in second.known] == ["c", "b"]


@pytest.mark.parametrize("is_open", [False, True], ids=["0.0.4", "OpenMetrics"])
def test_all_that_the_python_library_shows_is_understood(is_open: bool) -> None:
    registry = CollectorRegistry()
    counter = Counter("messages", "m", ["tenant"], registry=registry)
    counter.labels("a").inc(7)
    Gauge("queue_backlog", "g", registry=registry).set(math.nan)
    histogram = Histogram("message_latency_seconds", "h", registry=registry, buckets=(0.1, 1))
    histogram.observe(0.5)
    Summary("size_bytes", "s", registry=registry).observe(3)
    show = open_metrics.generate_latest if is_open else generate_latest
    numbers = read_exposition(
        show(registry).decode(), OPEN if is_open else TEXT, NOW_NS, {}
    ).numbers
    cumulative = {
        one.name: start > 0
        for one, start in zip(numbers.series, numbers.start_ns.tolist(), strict=True)
        if one.form is Form.CUMULATIVE
    }
    assert cumulative == dict.fromkeys(
        (
            "messages_total",
            *(f"message_latency_seconds_{end}" for end in ("bucket", "count", "sum")),
            "size_bytes_count",
            "size_bytes_sum",
        ),
        True,
    )
    assert [one.name for one in numbers.series if one.form is Form.GAUGE] == ["queue_backlog"]
    assert np.isnan(numbers.value[1])


BAD_TEXTS = [
    ("HTML", TEXT, "<html>not found</html>"),
    ("line protocol", TEXT, "messages,tenant=a count=1i 5\n"),
    ("a value that is none", TEXT, "a five\n"),
    ("cut within labels", TEXT, 'a{b="c\n'),
    ("OpenMetrics without its end", OPEN, "# TYPE a gauge\na 1\n"),
    ("a line that is too long", TEXT, "a{" + ",".join(f'l{n}="x"' for n in range(9000)) + "} 1\n"),
]


@pytest.mark.parametrize(("_", "kind", "text"), BAD_TEXTS, ids=[case[0] for case in BAD_TEXTS])
def test_what_is_neither_format_is_refused(_: str, kind: str, text: str) -> None:
    with pytest.raises(PayloadError):
        read_exposition(text, kind, NOW_NS, {})


_WORDS = ("a", "a_total", 'l="x"', "1", "-1", "NaN", "+Inf", "1e999", "9" * 25, "é", 'le="1"')
_MARKS = ("{", "}", ",", " ", '"', "\\", "\n", "# TYPE a counter", "# TYPE a histogram", "# EOF")
_PIECES = st.sampled_from([*_WORDS, *_MARKS, "_bucket", "_created"])


@settings(max_examples=200, deadline=None)
@given(st.lists(_PIECES, max_size=25).map("".join), st.sampled_from([TEXT, OPEN]))
def test_any_text_is_read_or_refused(text: str, kind: str) -> None:
    try:
        numbers = read_exposition(text, kind, NOW_NS, {"instance": "x"}).numbers
    except PayloadError:
        return
    assert len(numbers.value) == len(numbers.of) == len(numbers.time_ns) == len(numbers.start_ns)
