"""Sums as line protocol, such that every count arrives exactly and every duration in its bucket.

A line's latency and time in the queue weigh as many messages as its count. So a series becomes as
many lines as its two histograms, laid beside each other, have stretches: each line's count enters
one bucket of each, and all counts together are the messages. Which latency stands beside which
time in the queue says nothing; the server keeps the two apart as well.

Source: InfluxDB 1.8 line protocol reference, "Special characters".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from streamgauge.client.tally import Cell, Key, middle_s

LABELS = ("tenant", "source", "integration", "pipeline", "stage", "outcome", "reason")

MAX_CHARACTERS = 1_000
"""Of a name or a tag's value; the rest is cut off."""
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_CONTROLS = dict.fromkeys([*range(32), 127], " ")
_QUOTED = str.maketrans({'"': r"\"", "\\": r"\\"})


def plain(value: object, max_characters: int = MAX_CHARACTERS) -> str:
    """A label's text, of which control characters become spaces; "" for None."""
    text = "" if value is None else str(value)[:max_characters]
    if not text.isprintable():
        text = text.translate(_CONTROLS).encode(errors="replace").decode()
    return text.strip()


def label(value: object) -> str:
    """A name or a tag's value as it can stand in a line.

    Line protocol has no way to write a backslash at the end: it becomes a slash.
    """
    text = plain(value)
    if text.endswith("\\"):
        text = text.rstrip("\\") + "/"
    return text.translate(_ESCAPES)


def tags(values: Iterable[tuple[str, object]]) -> str:
    """`,key=value` for every value that is not empty."""
    shown = ((name, label(value)) for name, value in values)
    return "".join(f",{label(name)}={value}" for name, value in shown if value)


def message_lines(cells: Mapping[Key, Cell], sender: str, at_ns: int) -> Iterator[tuple[str, int]]:
    """Lines of `messages`, each with the messages it counts.

    Args:
        cells: sums by series.
        sender: the tags of the router itself.
        at_ns: time stamp of all.
    """
    for key, cell in cells.items():
        prefix = f"messages{tags(zip(LABELS, key, strict=True))}{sender} count="
        size_bytes = cell.size_bytes
        for count, latency, wait in stretches(cell):
            fields = f"{count}i"
            if latency is not None:
                fields += f",latency_s={middle_s(latency):.6g}"
            if wait is not None:
                fields += f",queue_s={middle_s(wait):.6g}"
            if size_bytes:
                fields += f",bytes={size_bytes}i"
                size_bytes = 0
            yield f"{prefix}{fields} {at_ns}", count


def stretches(cell: Cell) -> Iterator[tuple[int, int | None, int | None]]:
    """Messages, bucket of latency, bucket of time in the queue: as few as they can be.

    Buckets are None for messages whose durations were not told.
    """
    latencies, waits = _whole_histogram(cell.latencies, cell), _whole_histogram(cell.waits, cell)
    latency, wait = latencies.pop(), waits.pop()
    while True:
        count = min(latency[1], wait[1])
        if count or not cell.count:
            yield count, latency[0], wait[0]
        latency, wait = (latency[0], latency[1] - count), (wait[0], wait[1] - count)
        if not latency[1]:
            if not latencies:
                return
            latency = latencies.pop()
        if not wait[1]:
            if not waits:
                return
            wait = waits.pop()


def _whole_histogram(told: Mapping[int, int], cell: Cell) -> list[tuple[int | None, int]]:
    """Buckets with their messages, longest first; before them those of which nothing was told."""
    rest = cell.count - sum(told.values())
    buckets: list[tuple[int | None, int]] = [
        (bucket, count) for bucket, count in sorted(told.items(), reverse=True) if count
    ]
    return [(None, rest), *buckets] if rest or not buckets else buckets


def value_line(name: str, labels: str, fields: Mapping[str, object], at_ns: int) -> str:
    """A line of any measurement; "" where none of its fields can be written.

    Args:
        name: of the measurement.
        labels: as `tags` gives them.
        fields: numbers, texts and truth values; others are left out.
        at_ns: time stamp.
    """
    shown = [f"{label(key)}={text}" for key, value in fields.items() if (text := _field(value))]
    return f"{label(name)}{labels} {','.join(shown)} {at_ns}" if shown else ""


def _field(value: object) -> str:
    """A field's value; "" for what is none, such as None or NaN."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i" if -(2**63) <= value < 2**63 else ""
    if isinstance(value, float):
        return repr(value) if abs(value) < float("inf") else ""
    if isinstance(value, str):
        text = value.translate(_CONTROLS).encode(errors="replace").decode()
        return f'"{text.translate(_QUOTED)}"'
    return ""
