"""Reads a running InfluxDB 1.x by its query API: a day of a database and policy at a time.

Source: https://docs.influxdata.com/influxdb/v1/guides/query_data/ (chunked answers), and
https://docs.influxdata.com/influxdb/v1/query_language/explore-schema/ (`SHOW …`).
"""

# ruff: noqa: S608 - InfluxQL, with quoted names
from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import numpy as np
import polars as pl

from streamgauge.app.imports.frames import SCHEMA, Read, as_frame, escaped, key_of
from streamgauge.app.imports.influx_file import write_question
from streamgauge.model.errors import ConfigError, StoreError

NS_A_DAY = 86_400 * 10**9
CHUNK_ROWS = 10_000
FRAME_ROWS = 50_000
_TYPES: dict[str, tuple[pl.DataType, str]] = {
    "float": (pl.Float64(), ""),
    "integer": (pl.Int64(), "i"),
    "unsigned": (pl.UInt64(), "u"),
    "string": (pl.String(), ""),
    "boolean": (pl.Boolean(), ""),
}
"""How a column is held, and what line protocol puts behind a value; the first of a field's types
here is the one that InfluxDB answers with."""


@dataclass(slots=True)
class _Rows:
    """Rows of several series of one measurement."""

    values: list[list[Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)


class InfluxServer:
    """One server; a scope is `[db, policy, is default, from_ns, to_ns]`."""

    def __init__(self, url: str, db: str | None, from_ns: int, to_ns: int) -> None:
        parts = urlsplit(url)
        self.shown_url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._client = httpx.Client(base_url=url, timeout=300, trust_env=False)
        self._db, self._from_ns, self._to_ns = db, from_ns, to_ns
        self._fields: dict[tuple[str, str], dict[str, dict[str, str]]] = {}

    def close(self) -> None:
        """End the connection."""
        self._client.close()

    def scopes(self) -> list[list[Any]]:
        """Days in which there are shards, oldest first."""
        spans: set[tuple[str, str, int]] = set()
        now_ns = int(time.time() * 1e9)
        for row in self._rows("SHOW SHARDS"):
            if not self._is_wanted(row["database"]):
                continue
            first = max(_day(row["start_time"]), self._from_ns // NS_A_DAY)
            # What is written while this runs is left out, so that the counts can agree.
            end = min(_day(row["end_time"]), -(-min(self._to_ns, now_ns) // NS_A_DAY))
            name = (row["database"], row["retention_policy"])
            spans.update((*name, day) for day in range(first, end))
        defaults = {db: self._default_policy(db) for db in {db for db, _, _ in spans}}
        return [
            [db, rp, rp == defaults[db], max(day * NS_A_DAY, self._from_ns),
             min((day + 1) * NS_A_DAY, self._to_ns, now_ns)]
            for db, rp, day in sorted(spans, key=lambda one: (one[2], one))
        ]  # fmt: skip

    def read(self, scope: list[Any]) -> Iterator[Read]:
        """All measurements of a day."""
        db, policy, is_default, from_ns, to_ns = scope
        measurements = self._fields_of(db, policy)
        question = write_question(db, "" if is_default else policy)
        for at, (measurement, fields) in enumerate(measurements.items()):
            text = f"SELECT * FROM {_from(policy, measurement, from_ns, to_ns)} GROUP BY *"
            for rows in _gathered(self._documents(text, db)):
                frame, values = _frame(question, fields, rows)
                yield Read(frame, values, at / len(measurements))

    def count(self, scope: list[Any]) -> int | None:
        """By `count(*)` of each measurement."""
        db, policy, _, from_ns, to_ns = scope
        total = 0
        for measurement in self._fields_of(db, policy):
            text = f"SELECT count(*) FROM {_from(policy, measurement, from_ns, to_ns)}"
            for row in self._rows(text, db):
                total += sum(value or 0 for name, value in row.items() if name != "time")
        return total

    def _is_wanted(self, db: str) -> bool:
        return db == self._db if self._db else db != "_internal"

    def _default_policy(self, db: str) -> str:
        rows = self._rows(f"SHOW RETENTION POLICIES ON {_quoted(db)}")
        return next((str(row["name"]) for row in rows if row["default"]), "autogen")

    def _fields_of(self, db: str, policy: str) -> dict[str, dict[str, str]]:
        """The type of each field of each measurement."""
        if (db, policy) not in self._fields:
            found: dict[str, dict[str, str]] = {}
            order = list(_TYPES)
            # Without a policy, the server shows those of the default one only.
            text = f"SHOW FIELD KEYS ON {_quoted(db)} FROM {_quoted(policy)}./.*/"
            for series in self._series(text):
                kinds = found.setdefault(series["name"], {})
                for name, kind in series["values"]:
                    kinds[name] = min(kinds.get(name, kind), kind, key=order.index)
            self._fields[db, policy] = dict(sorted(found.items()))
        return self._fields[db, policy]

    def _rows(self, text: str, db: str = "") -> list[dict[str, Any]]:
        return [
            dict(zip(series["columns"], row, strict=True))
            for series in self._series(text, db)
            for row in series["values"]
        ]

    def _series(self, text: str, db: str = "") -> list[dict[str, Any]]:
        return [
            series
            for document in self._documents(text, db)
            for result in document["results"]
            for series in result.get("series", ())
        ]

    def _documents(self, text: str, db: str) -> Iterator[dict[str, Any]]:
        """The answer's chunks.

        Raises:
            StoreError: it was not reached, or refused.
        """
        question = {"q": text, "db": db, "epoch": "ns", "chunked": "true"}
        question["chunk_size"] = str(CHUNK_ROWS)
        try:
            with self._client.stream("POST", "/query", data=question) as answer:
                for line in answer.iter_lines():
                    document = json.loads(line)
                    if error := _error_of(document):
                        raise ConfigError(f"{self.shown_url}: {error}")
                    yield document
        except (httpx.TransportError, ValueError) as error:
            raise StoreError(f"{self.shown_url}: {error}", permanent=False) from error


def _error_of(document: dict[str, Any]) -> str:
    results = document.get("results", ())
    errors = [str(one["error"]) for one in (document, *results) if "error" in one]
    return errors[0] if errors else "" if "results" in document else "no InfluxDB 1.x answers here"


def _gathered(documents: Iterator[dict[str, Any]]) -> Iterator[_Rows]:
    """Series put together until there are enough rows; each of them is a document at least."""
    rows = _Rows()
    for document in documents:
        for result in document["results"]:
            for series in result.get("series", ()):
                rows.columns = series["columns"]
                rows.values += series["values"]
                rows.keys.append(key_of(series["name"], series.get("tags", {})))
                rows.counts.append(len(series["values"]))
        if len(rows.values) >= FRAME_ROWS:
            yield rows
            rows = _Rows()
    if rows.values:
        yield rows


def _frame(db: str, fields: dict[str, str], rows: _Rows) -> tuple[pl.DataFrame, int]:
    """Rows of SCHEMA, and the field values in them."""
    names = rows.columns[1:]
    types = [_TYPES[fields.get(name, "float")] for name in names]
    # Fields may be called like each other's columns: they are known by their place.
    schema = {"stamp": pl.Int64()} | {str(at): kind for at, (kind, _) in enumerate(types)}
    values = pl.DataFrame(rows.values, schema=schema, orient="row", strict=False)
    keys = np.repeat(np.arange(len(rows.keys)), rows.counts)
    texts = [
        _text(pl.col(str(at)), kind, suffix, name)
        for at, (name, (kind, suffix)) in enumerate(zip(names, types, strict=True))
    ]
    fields_text = values.select(pl.concat_str(texts, separator=",", ignore_nulls=True)).to_series()
    frame = as_frame(
        {
            "db": db,
            "series": pl.Series(rows.keys, dtype=pl.String).gather(keys),
            "stamp": values["stamp"],
            "name": fields_text,
            "fields": fields_text,
        }
    )
    count = int(values.drop("stamp").count().sum_horizontal().item() or 0)
    return frame.filter(pl.col("fields") != "").select(SCHEMA.keys()), count


def _text(column: pl.Expr, kind: pl.DataType, suffix: str, name: str) -> pl.Expr:
    value = column.cast(pl.String)
    if kind == pl.String:
        plain = value.str.replace_all("\\", "\\\\", literal=True)
        value = pl.lit('"') + plain.str.replace_all('"', '\\"', literal=True) + pl.lit('"')
    return pl.lit(f"{escaped(name)}=") + value + pl.lit(suffix)


def _from(policy: str, measurement: str, from_ns: int, to_ns: int) -> str:
    return f"{_quoted(policy)}.{_quoted(measurement)} WHERE time >= {from_ns} AND time < {to_ns}"


def _quoted(name: str) -> str:
    escapes = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escapes}"'


def _day(told: str) -> int:
    """Days since the epoch of an instant at midnight or later."""
    return int(np.datetime64(told.rstrip("Z"), "D").astype(int))
