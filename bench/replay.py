"""How fast `streamgauge replay` goes through history: 5,000,000 lines of 30 days.

400 customers with three integrations each, from a few lines a day to one every minute, a hundredth
of them errors; one customer falls silent for the last day, so that there is something to be found.
The whole command is timed, from its start to the last incident.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from bench.report import table

Floats = NDArray[np.float64]
LINES = 5_000_000
DAYS = 30
GOAL_LINES_S = 500_000
CUSTOMERS = 400
_INTEGRATIONS = ("ga4", "s3", "webhook")
_START_S = 1_763_942_400
"""2025-11-24, a Monday, 00:00 UTC."""


def bodies(lines: int, days: int = DAYS) -> Iterator[bytes]:
    """Line protocol of each day, in the order of time; about so many lines in all."""
    rng = np.random.default_rng(23)
    flows = CUSTOMERS * len(_INTEGRATIONS)
    chance = _chances(lines / (days * 1440), flows)
    heads = pl.Series(
        [_head(flow, outcome) for flow in range(flows) for outcome in ("ok", "error")]
    )
    for day in range(days):
        minute, flow = np.nonzero(rng.random((1440, flows)) < chance)
        if day == days - 1:
            kept = flow // len(_INTEGRATIONS) != 3
            minute, flow = minute[kept], flow[kept]
        stamp_s = _START_S + 86_400 * day + 60 * minute + rng.integers(0, 60, len(minute))
        place = 2 * flow + (rng.random(len(flow)) < 0.01)
        frame = pl.DataFrame(
            {
                "head": heads.gather(place),
                "count": rng.integers(1, 100, len(flow)),
                "stamp": stamp_s * 1_000_000_000,
            }
        ).sort("stamp")
        line = pl.format("{} count={}i {}\n", "head", "count", "stamp")
        yield frame.select(line.str.join(""))[0, 0].encode()


def _chances(lines_a_minute: float, flows: int) -> Floats:
    """Of a line in a minute, by flow: as Zipf would have it, and none more than one."""
    weights = (1.0 + np.arange(flows)) ** -1.0
    low, high = 0.0, 1e6
    for _ in range(60):
        middle = (low + high) / 2
        is_low = np.minimum(middle * weights, 1.0).sum() < lines_a_minute
        low, high = (middle, high) if is_low else (low, middle)
    return np.asarray(np.minimum(low * weights, 1.0))


def _head(flow: int, outcome: str) -> str:
    customer, way = divmod(flow, len(_INTEGRATIONS))
    reason = ",reason=timeout" if outcome == "error" else ""
    return (
        f"messages,tenant=t{customer:03},source=web,integration={_INTEGRATIONS[way]},"
        f"pipeline=main,stage=delivered,outcome={outcome}{reason}"
    )


def replay_text(lines: int = LINES, days: int = DAYS) -> str:
    """The section of `bench/RESULTS.md`, of so many days of history."""
    with tempfile.TemporaryDirectory(prefix="bench-replay-") as folder:
        path = Path(folder) / "history.lp"
        count = 0
        with path.open("wb") as file:
            for body in bodies(lines, days):
                file.write(body)
                count += body.count(b"\n")
        size = path.stat().st_size
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.monotonic()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("streamgauge")), "replay", str(path), "--json"],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    reading = next((line for line in done.stderr.splitlines() if "lines read" in line), "")
    rate = count / seconds
    reached = "reached" if rate >= GOAL_LINES_S else "**missed**"
    rows = [(f"{count:,} lines, {days} days", f"{seconds:.1f} s", f"{cpu_s:.1f} s", f"{rate:,.0f}",
             f"{count / cpu_s:,.0f}", f"≥ {GOAL_LINES_S:,}", reached)]  # fmt: skip
    heads = ["history", "took", "processor", "lines/s", "lines a processor second", "goal", ""]
    return "\n".join(
        [
            "## How fast history is replayed, `python -m bench replay`",
            "",
            f"{size / count:.0f} bytes a line, {CUSTOMERS} customers, {CUSTOMERS * 3:,} flows; "
            f"{len(done.stdout.splitlines())} incidents were found. It says itself: {reading}.",
            "",
            *table(heads, rows),
        ]
    )
