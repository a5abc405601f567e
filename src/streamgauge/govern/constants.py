"""What a line, a row and a series cost: measured by `python -m bench constants`.

The figures stand in `constants.json` beside this file, with date, commit and command.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Constants:
    """Measured on one machine; others differ by what their processor does."""

    raw_bytes_per_line: float
    """On disk, merged."""
    row_bytes: float
    """Of a summed row without its histogram."""
    bucket_bytes: float
    """Of each bucket that a row's histogram has."""
    wire_bytes_per_line: float
    """As sent, unzipped."""
    cpu_s_per_million_lines: float
    """Parse, journal, insert and roll up."""
    lines_per_s: float
    """One process took in, until queryable, with two processors."""
    bytes_per_hop: float
    """On disk, merged, of a message's hop, beside its row of the raw lines."""
    wire_bytes_per_hop: float
    """As sent, unzipped."""
    cpu_s_per_million_hops: float
    """As a line, and to be thinned."""
    resident_base_bytes: float
    resident_bytes_per_series: float
    measured_at: str = ""
    commit: str = ""
    command: str = ""

    def summed_row_bytes(self, lines: float) -> float:
        """Of a row that sums so many lines: each of them may open a bucket of its own."""
        return self.row_bytes + self.bucket_bytes * buckets_of(lines)


SPREAD_BUCKETS = 60.0
"""Buckets that latencies of one flow fall into: about two doublings of 32."""


def buckets_of(lines: float) -> float:
    """Different buckets that so many latencies are expected to hit."""
    return float(SPREAD_BUCKETS * -np.expm1(-lines / SPREAD_BUCKETS))


def constants_of(values: dict[str, Any]) -> Constants:
    """From the file's fields."""
    return Constants(**values)


@cache
def measured() -> Constants:
    """Those that come with this version."""
    text = (files("streamgauge.govern") / "constants.json").read_text(encoding="utf-8")
    return constants_of(json.loads(text))
