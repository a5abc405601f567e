"""`streamgauge map try`: what each series of a sample becomes, and by which rule."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from streamgauge.model.errors import ConfigError, PayloadError
from streamgauge.receive.influx.series import MESSAGES_TAGS, QUEUE_TAGS
from streamgauge.receive.meaning import names
from streamgauge.receive.meaning.lines import LineSeries
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.proposals import propose
from streamgauge.receive.meaning.reading import Manner, Reading, read_series
from streamgauge.receive.meaning.rules import MapRule, find_rule
from streamgauge.receive.measured import Form, Measured, Series

MAX_SHOWN = 1000
MAX_BYTES = 25_000_000
_SNAPPY_ENCODING = "snappy"
_NAMES = {target: name for name, target in names.OURS.items()}


def run(file: str, rules: Sequence[MapRule]) -> str:
    """The report.

    Args:
        file: a path, or `-` for stdin.
        rules: the `[[map]]`s of the configuration.

    Raises:
        ConfigError: the file cannot be read, or is in none of the formats.
    """
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from error
    try:
        kind, found, own = _understood(body)
    except PayloadError as error:
        raise ConfigError(f"{file} is no sample of metrics: {error}") from error
    return "\n".join(_report(kind, found, own, rules))


Found = list[tuple[Series, Manner]]


def _understood(body: bytes) -> tuple[str, Found, dict[str, int]]:
    """Format, series, and rows of line protocol that are ours as they are."""
    text = _text(body)
    if text is None:
        return "a remote-write body", _series(_remote_write(body)), {}
    start = text.lstrip()[:1]
    if start == "{":
        return "OTLP as JSON", _series(_otlp(body)), {}
    if _is_line_protocol(text):
        return "line protocol", *_lines(body)
    return "Prometheus text", _series(_exposition(text)), {}


def _text(body: bytes) -> str | None:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_line_protocol(text: str) -> bool:
    """Fields are told by `=` outside of braces; Prometheus has a number there."""
    line = next((one for one in text.splitlines() if one.strip() and one[0] != "#"), "")
    return "{" not in line and "=" in line


def _remote_write(body: bytes) -> Measured:
    from streamgauge.receive.prometheus.decoding import Decoder
    from streamgauge.receive.prometheus.snappy import unpack

    return Decoder().decode(unpack(body, _SNAPPY_ENCODING, MAX_BYTES), _now_ns()).measured


def _otlp(body: bytes) -> Measured:
    from streamgauge.receive.otlp.json_mapping import to_protobuf
    from streamgauge.receive.otlp.protobuf import decode

    return decode(to_protobuf(body), _now_ns()).measured


def _exposition(text: str) -> Measured:
    from streamgauge.receive.prometheus.exposition import read_exposition

    kind = "application/openmetrics-text" if text.rstrip().endswith("# EOF") else "text/plain"
    return Measured(read_exposition(text, kind, _now_ns(), {}).numbers)


def _now_ns() -> int:
    return time.time_ns()


def _series(measured: Measured) -> Found:
    plain, shaped = Manner(""), Manner("", is_histogram=True)
    numbers, shapes = measured.numbers, measured.histograms
    places = dict.fromkeys([*numbers.of.tolist(), *numbers.ended.tolist()])
    found = dict.fromkeys((numbers.series[at], plain) for at in places)
    return list(found | dict.fromkeys((shapes.series[at], shaped) for at in shapes.of.tolist()))


def _lines(body: bytes) -> tuple[Found, dict[str, int]]:
    from streamgauge.receive.influx.parsing import parse

    parsed = parse(body, precision="ns", db="", received_at_ns=_now_ns())
    if parsed.rejected:
        first = parsed.rejected[0]
        raise PayloadError(f"line {first.line_number}: {first.reason}")
    batch = parsed.batch
    own = {"messages": batch.messages.num_rows, "queue": batch.queue.num_rows}
    if not batch.points.num_rows:
        return [], own
    measured, _ = LineSeries().measured(batch.points)
    return [(one, Manner("", is_line=True)) for one in measured.numbers.series], own


def _report(
    kind: str, found: Found, own: dict[str, int], rules: Sequence[MapRule]
) -> Iterator[str]:
    yield f"{kind}, {len(found)} series"
    for measurement, count in own.items():
        if count:
            yield f"rows of `{measurement}` that are understood as they are: {count}"
    strange: dict[str, list[str]] = {}
    for series, manner in found[:MAX_SHOWN]:
        reading = read_series(series, rules, manner)
        yield from ("", _shown(series), f"  → {_meaning(reading)}", f"  {_reason(reading)}")
        if _is_strange(reading, series, rules):
            strange.setdefault(names.family_name(series.name), []).extend(dict(series.labels))
    if len(found) > MAX_SHOWN:
        yield f"\n… and {len(found) - MAX_SHOWN} more"
    if strange:
        yield "\nnot understood, though it looks like messages or queues; to begin with:"
        for name, labels in strange.items():
            yield f"\n{propose(name, dict.fromkeys(labels))}"


def _is_strange(reading: Reading, series: Series, rules: Sequence[MapRule]) -> bool:
    if reading.rule or find_rule(rules, series.name, dict(series.labels)):
        return False
    return reading.is_strange


def _shown(series: Series) -> str:
    labels = ", ".join(f'{name}="{value}"' for name, value in series.labels)
    return f"{series.name}{{{labels}}}" if labels else series.name


def _meaning(reading: Reading) -> str:
    target = reading.target
    if target is Target.DROPPED:
        return "dropped"
    if target is Target.POINT:
        return f"a point of {', '.join(word for word in reading.words if word)}"
    tags = QUEUE_TAGS if target in names.QUEUE_COLUMNS else MESSAGES_TAGS
    told = [f"{tag}={word}" for tag, word in zip(tags, reading.words, strict=True) if word]
    scale = f", times {reading.factor:g}" if reading.factor != 1 else ""
    return f"{_NAMES[target]}: {' '.join(told)}{scale}{_HOW.get(_how(reading), '')}"


_HOW = {
    "rises": "; what it rises by counts",
    "adds": "; each number counts",
    "cells": "; its cells count",
}


def _how(reading: Reading) -> str:
    if reading.target in names.HISTOGRAMS:
        return "cells"
    if reading.target in names.RISING:
        return "adds" if reading.form is Form.DELTA else "rises"
    return ""


def _reason(reading: Reading) -> str:
    if reading.rule:
        return f'by [[map]] {reading.rule.number} (metric = "{reading.rule.metric}")'
    return "nothing says what it means" if reading.target is Target.POINT else "by its name"
