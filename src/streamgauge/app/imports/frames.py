"""What every source is turned into: one row a field (or several of one line), as line protocol.

InfluxDB's export has a line for each *field*, VictoriaMetrics a series. Sent like that, a message
with a count and a latency would count twice, so rows of one series and stamp become one line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

SCHEMA = {
    "db": pl.String,
    "series": pl.String,
    "stamp": pl.Int64,
    "name": pl.String,
    "fields": pl.String,
}
"""`db` as in a write's query (`db&rp=…`, quoted); `series` measurement and tags, and `fields`, as
in line protocol; `stamp` nanoseconds; `name` of the field, or all of `fields` where there are
several: the last row of a series, stamp and name wins, as it does in InfluxDB."""

_POINT = ["db", "series", "stamp"]
_KEY_SPECIALS = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})
_NAME_SPECIALS = str.maketrans({",": "\\,", " ": "\\ "})


@dataclass(slots=True)
class Read:
    """A piece of a source."""

    frame: pl.DataFrame
    values: int
    """Field values in it."""
    done_ratio: float = 0.0
    """How much of the scope is behind it."""
    unreadable: int = 0
    """Lines or values that are none."""
    reasons: list[str] = field(default_factory=list)
    """Of the first of them."""


def as_frame(columns: Mapping[str, pl.Series | str]) -> pl.DataFrame:
    """A frame of SCHEMA; plain strings hold for every row."""
    series = {name: one for name, one in columns.items() if isinstance(one, pl.Series)}
    words = [pl.lit(one).alias(name) for name, one in columns.items() if isinstance(one, str)]
    return (
        pl.DataFrame(series)
        .with_columns(words)
        .select(pl.col(n).cast(t) for n, t in SCHEMA.items())
    )


def key_of(measurement: str, tags: Mapping[str, str]) -> str:
    """A series key; empty tags are none."""
    each = (f",{escaped(key)}={escaped(tags[key])}" for key in sorted(tags) if tags[key])
    return measurement.translate(_NAME_SPECIALS) + "".join(each)


def escaped(word: str) -> str:
    """A tag's key or value, or a field's key."""
    return word.translate(_KEY_SPECIALS)


def joined(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """One row a line, oldest first: db, series, stamp, fields; and how many rows it overwrote."""
    last = frame.unique([*_POINT, "name"], keep="last", maintain_order=True)
    lines = last.group_by(_POINT, maintain_order=True).agg(pl.col("fields").str.join(","))
    return lines.sort(["db", "stamp", "series"]), len(frame) - len(last)


def body_of(lines: pl.DataFrame) -> bytes:
    """Joined rows as line protocol."""
    text = lines.select(pl.format("{} {} {}", "series", "fields", "stamp").str.join("\n"))
    return str(text.item()).encode()
