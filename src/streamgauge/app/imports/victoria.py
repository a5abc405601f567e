"""Reads VictoriaMetrics' `/api/v1/export`, from a file or a running server, a day at a time.

Source: https://docs.victoriametrics.com/victoriametrics/ ("How to export data in JSON line format",
"How to send data in InfluxDB line protocol": names are `{measurement}_{field}`, the database is the
label `db`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import polars as pl

from streamgauge.app.imports.frames import Read, as_frame, escaped, key_of
from streamgauge.app.imports.influx_file import write_question
from streamgauge.app.imports.opening import Opened, opened
from streamgauge.model.errors import ConfigError, StoreError

LOOK_BACK = "50y"
"""It answers nothing when asked for more than since 1970."""
MS_A_DAY = 86_400_000
NS_A_MS = 1_000_000
FRAME_BYTES = 4_000_000
MAX_LINE_BYTES = 256_000_000
_ARRAYS = pl.Struct({"values": pl.List(pl.Float64), "timestamps": pl.List(pl.Int64)})
_NO_NUMBER = re.compile(rb'"[-+]?(?:Infinity|Inf|NaN)"')
OURS = {
    "messages": ("count", "bytes", "latency_ms", "latency_s", "queue_ms", "queue_s"),
    "queue": ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight"),
}
"""What becomes our own. Anything else that is called like it is kept by its whole name: a line of
`messages` without a count would count as a message."""


@dataclass(frozen=True, slots=True)
class Naming:
    """How a metric's name is split into measurement and field."""

    separator: str = "_"
    split: str = "first"
    """Where: `first`, `last`, or `none`."""
    measurements: tuple[str, ...] = ()
    """Known ones, which win."""
    db: str | None = None
    """Where everything goes; None: by the label `db`."""

    def of(self, name: str) -> tuple[str, str]:
        """Measurement and field."""
        for known in sorted(self.measurements, key=len, reverse=True):
            if name.startswith(known + self.separator):
                return known, name[len(known + self.separator) :]
        for ours, fields in OURS.items():
            if name.startswith(ours + self.separator):
                rest = name[len(ours + self.separator) :]
                return (ours, rest) if rest in fields else (name, "value")
        cut = {"first": name.partition, "last": name.rpartition}.get(self.split)
        before, _, after = cut(self.separator) if cut else ("", "", "")
        return (before, after) if before and after else (name, "value")


@dataclass(slots=True)
class _Lines:
    """Of several series."""

    tails: list[bytes] = field(default_factory=list)
    labels: list[dict[str, str]] = field(default_factory=list)
    size: int = 0


class VictoriaFile:
    """A file of an export; one scope."""

    def __init__(self, path: Path, naming: Naming, from_ns: int, to_ns: int) -> None:
        self._path, self._naming, self._from_ns, self._to_ns = path, naming, from_ns, to_ns

    def scopes(self) -> list[list[Any]]:
        """The whole file."""
        return [[self._path.name]]

    def count(self, scope: list[Any]) -> int | None:  # noqa: ARG002
        """A file says nothing but its values."""
        return None

    def read(self, scope: list[Any]) -> Iterator[Read]:  # noqa: ARG002
        """Series of it."""
        span = (self._from_ns, self._to_ns)
        with opened(self._path) as file:
            for lines in _gathered(_lines_of(file)):
                yield _piece(lines, self._naming, span, file.ratio)


class VictoriaServer:
    """One server; a scope is `[from_ms, to_ms]`."""

    def __init__(
        self, url: str, match: str | None, naming: Naming, from_ns: int, to_ns: int
    ) -> None:
        parts = urlsplit(url)
        self.shown_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._client = httpx.Client(base_url=url, timeout=300, trust_env=False)
        self._match, self._naming = match or '{__name__!=""}', naming
        self._span = (from_ns, to_ns)

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def scopes(self) -> list[list[Any]]:
        """Days from the first sample to the last."""
        first = self._ask(f"min(tfirst_over_time({self._match}[{LOOK_BACK}]))")
        last = self._ask(f"max(tlast_over_time({self._match}[{LOOK_BACK}]))")
        if first is None or last is None:
            return [[0, 0]]
        from_ms = max(int(first * 1000), -(-self._span[0] // NS_A_MS))
        to_ms = min(int(last * 1000) + 1, -(-self._span[1] // NS_A_MS))
        days = range(from_ms // MS_A_DAY, -(-to_ms // MS_A_DAY))
        return [
            [max(day * MS_A_DAY, from_ms), min((day + 1) * MS_A_DAY, to_ms)] for day in days
        ] or [[0, 0]]

    def read(self, scope: list[Any]) -> Iterator[Read]:
        """A day."""
        from_ms, to_ms = scope
        if from_ms >= to_ms:
            return
        question = {
            "match[]": self._match,
            "start": f"{from_ms / 1000:.3f}",
            "end": f"{(to_ms - 1) / 1000:.3f}",
            "max_rows_per_line": "10000",
        }
        span = (from_ms * NS_A_MS, to_ms * NS_A_MS)
        try:
            with self._client.stream("GET", "/api/v1/export", params=question) as answer:
                if answer.status_code != 200:
                    answer.read()
                    raise ConfigError(
                        f"{self.shown_url}: {answer.status_code}: {answer.text[:300]}"
                    )
                for lines in _gathered(line.encode() for line in answer.iter_lines()):
                    yield _piece(lines, self._naming, span, 0.5)
        except httpx.TransportError as error:
            raise StoreError(f"{self.shown_url}: {error}", permanent=False) from error

    def count(self, scope: list[Any]) -> int | None:
        """By `count_over_time`."""
        from_ms, to_ms = scope
        if from_ms >= to_ms:
            return 0
        text = f"sum(count_over_time({self._match}[{to_ms - from_ms}ms]))"
        return round(self._ask(text, (to_ms - 1) / 1000) or 0)

    def _ask(self, text: str, at_s: float | None = None) -> float | None:
        question = {"query": text, "nocache": "1"}
        if at_s is not None:
            question["time"] = f"{at_s:.3f}"
        try:
            answer = self._client.get("/api/v1/query", params=question)
            found = answer.json()
        except (httpx.TransportError, ValueError) as error:
            raise StoreError(f"{self.shown_url}: {error}", permanent=False) from error
        if found.get("status") != "success":
            raise ConfigError(f"{self.shown_url}: {found.get('error', found)}")
        result = found["data"]["result"]
        return float(result[0]["value"][1]) if result else None


def _lines_of(file: Opened) -> Iterator[bytes]:
    while line := file.plain.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n") and len(line) >= MAX_LINE_BYTES:
            text = "a line is too long: export with max_rows_per_line=10000"
            raise ConfigError(text)
        yield line


def _gathered(lines: Iterator[bytes]) -> Iterator[_Lines]:
    """A line is a series: put together until there are enough samples."""
    kept = _Lines()
    for line in lines:
        head, found, tail = line.strip().partition(b',"values":')
        if not head:
            continue
        try:
            kept.labels.append(json.loads(head + b"}")["metric"])
        except (ValueError, KeyError) as error:
            text = f"no line of /api/v1/export: {line[:200].decode(errors='replace')!r}"
            raise ConfigError(text) from error
        kept.tails.append(b'{"values":' + tail if found else b"")
        kept.size += len(tail)
        if kept.size >= FRAME_BYTES:
            yield kept
            kept = _Lines()
    if kept.labels:
        yield kept


def _piece(lines: _Lines, naming: Naming, span: tuple[int, int], ratio: float) -> Read:
    text = b"\n".join(lines.tails)
    if text.count(b'"') > 4 * len(lines.tails):
        text = _NO_NUMBER.sub(b"null", text)
    try:
        arrays = pl.Series(text.decode().split("\n")).str.json_decode(_ARRAYS).struct.unnest()
        samples = arrays.with_row_index("line").explode("values", "timestamps", empty_as_null=False)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise ConfigError(f"no export of VictoriaMetrics: {str(error)[:200]}") from error
    words = pl.DataFrame(
        [_words(labels, naming) for labels in lines.labels],
        schema=["db", "series", "field"],
        orient="row",
    )
    stamp = samples["timestamps"] * NS_A_MS
    in_span = samples.with_columns(stamp.alias("stamp")).filter(
        pl.col("stamp").is_between(*span, closed="left")
    )
    good = in_span.filter(pl.col("values").is_not_null())
    of = good["line"]
    name = words["field"].gather(of)
    frame = as_frame(
        {
            "db": words["db"].gather(of),
            "series": words["series"].gather(of),
            "stamp": good["stamp"],
            "name": name,
            "fields": name + "=" + good["values"].cast(pl.String),
        }
    )
    missing = len(in_span) - len(good)
    return Read(frame, len(good), ratio, missing, ["a value that is no number"] if missing else [])


def _words(labels: dict[str, str], naming: Naming) -> tuple[str, str, str]:
    """The database, the series key and the field of a metric."""
    tags = {name: value for name, value in labels.items() if name not in {"__name__", "db"}}
    measurement, name = naming.of(labels.get("__name__", "unnamed"))
    db = naming.db or labels.get("db") or "imported"
    return write_question(db, ""), key_of(measurement, tags), escaped(name)
