"""Evidence as rows for people: the unit stands in a name's end, so the table can write it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import NamedTuple

from streamgauge.model.finding import Evidence
from streamgauge.web import format as formats

UNITS = re.compile(
    r"(?<!likelihood)_(per_second|per_s|per_hour|nats|bytes|ratio|count|total|at|ms|s)$"
)
ACRONYMS = {
    "eta": "time",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "id": "ID",
    "slo": "SLO",
    "p": "p",
}
LABELS = {
    "above": "Threshold: above",
    "bar_nats": "Weight that it takes",
    "below": "Threshold: below",
    "blind_s": "Blind for",
    "drain_s": "Empty in",
    "evidence_nats": "Weight of evidence",
    "expected_count": "Messages expected",
    "expected_high_count": "Expected at most",
    "expected_low_count": "Expected at least",
    "expected_within_s": "Expected within",
    "in_per_s": "Arriving",
    "median_s": "Half take longer than",
    "observed_count": "Messages counted",
    "observed_per_hour": "Rate now",
    "observed_ratio": "Of what is usual",
    "out_per_s": "Leaving",
    "p_value": "Chance that it is nothing",
    "silent_s": "Silent for",
    "slow_count": "Slow messages",
    "slow_ratio": "Share of slow messages",
    "threshold_s": "Slow is longer than",
    "total_count": "Of messages",
    "usual_per_hour": "Usual rate",
    "usual_ratio": "Usual share",
    "usual_s": "Usually at most",
    "waited_s": "Waited for",
}
METRIC_UNITS = (
    (re.compile("ratio"), "ratio"),
    (re.compile("latency|wait|oldest_age"), "s"),
    (re.compile("bytes"), "bytes"),
)
OF_METRIC = ("above", "below", "last_value", "worst_value")
"""Numbers of a rule, in the unit of its metric."""
PROBABILITIES = re.compile(r"(^|_)(p_value|probability|confidence)$")


class Row(NamedTuple):
    """One number behind the sentence."""

    label: str
    value: str


def evidence_rows(evidence: Evidence) -> list[Row]:
    """In the order that the detector told them."""
    metric = str(evidence.get("metric", ""))
    unit = next((unit for pattern, unit in METRIC_UNITS if pattern.search(metric)), "")
    return [
        Row(label_of(name), value_of(f"{name}_{unit}" if name in OF_METRIC else name, value))
        for name, value in evidence.items()
    ]


def label_of(name: str) -> str:
    """`oldest_age_s` as `Oldest age`."""
    if name in LABELS:
        return LABELS[name]
    bare = UNITS.sub("", name) if not PROBABILITIES.search(name) else name
    if name.endswith("_ratio") and bare != name:
        bare += "_share"
    words = [ACRONYMS.get(word, word) for word in bare.split("_") if word]
    text = " ".join(words) or name
    return text[:1].upper() + text[1:] if words and words[0] not in ACRONYMS else text


def value_of(name: str, value: object) -> str:
    """With its unit; unknown in words."""
    match value:
        case None:
            return formats.UNKNOWN
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return _number(name, float(value))
        case list():
            return ", ".join(str(part) for part in value) or "none"
        case _:
            return str(value)


def _number(name: str, value: float) -> str:
    if not math.isfinite(value):
        return formats.UNKNOWN
    if PROBABILITIES.search(name):
        return probability(value)
    unit = match[1] if (match := UNITS.search(name)) else ""
    return str(WRITERS.get(unit, _plain)(value))


def probability(value: float) -> str:
    """`0.00012 (1 in 8,300)`."""
    if not 0 < value < 0.01:
        return "below 1 in a trillion" if value == 0 else f"{value:.3g}"
    odds = 1 / value
    if odds >= 1e12:
        return "below 1 in a trillion"
    rounded = round(odds, 1 - math.floor(math.log10(odds)))
    return f"1 in {rounded:,.0f}"


def _plain(value: float) -> str:
    if value == round(value) and abs(value) < 1e15:
        return f"{value:,.0f}"
    if abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:,.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


WRITERS: dict[str, Callable[[float], object]] = {
    "s": formats.duration,
    "ms": lambda value: formats.duration(value / 1000),
    "ratio": formats.share,
    "bytes": formats.data_size,
    "per_second": formats.rate,
    "per_s": formats.rate,
    "per_hour": lambda value: formats.rate(value / 3600),
    "nats": lambda value: f"{_plain(value)} nats",
    "at": formats.utc,
}
"""How a number is written, by the unit at the end of its name."""
