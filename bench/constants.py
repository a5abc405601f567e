"""Measures what a line, a row and a series cost, for `streamgauge plan`, Budget and `doctor`.

Two loads of the same flows, each with latencies around a median of its own: a report every 10 s,
and a line a minute. From the two, the bytes of a summed row and of a histogram bucket are solved.
Memory is that of the whole program, engine included, with nothing and with many series.
"""

from __future__ import annotations

import json
import math
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import streamgauge.govern.constants as kept
from bench.hops import FORMS, measure_hops
from bench.report import first_line
from streamgauge.app.budget import machine
from streamgauge.app.commands.doctor import ingest
from streamgauge.govern.constants import buckets_of
from streamgauge.model.clock import SystemClock
from streamgauge.receive.influx import parse
from streamgauge.store import Store, StoreSettings
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

FILE = Path(kept.__file__).with_name("constants.json")
COMMAND = "python -m bench constants"
FLOWS = 1_000
SERIES = 40_000
HOPS = 300_000
SPREAD = 0.5
"""Standard deviation of latencies, in natural logarithms."""


def constants_text() -> str:
    """Measure, write the file, and tell as Markdown."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        dense = stored(Path(folder) / "dense", flows=FLOWS, every_s=10, span_s=3600)
        sparse = stored(Path(folder) / "sparse", flows=FLOWS, every_s=60, span_s=3 * 3600)
        rates = [ingest(Path(folder) / f"rate-{number}") for number in range(3)]
        base, per_series = _memory(Path(folder) / "memory")
    cpu_s_per_million_lines = min(rate.cpu_s_per_million_lines for rate in rates)
    bucket = (dense["minute_row"] - sparse["minute_row"]) / (buckets_of(6) - buckets_of(1))
    best = max(rates, key=lambda rate: rate.lines_per_s)
    values = {
        "raw_bytes_per_line": round(dense["raw_line"], 2),
        "row_bytes": round(max(sparse["minute_row"] - bucket * buckets_of(1), 1.0), 2),
        "bucket_bytes": round(bucket, 3),
        "wire_bytes_per_line": round(dense["wire_line"], 1),
        "cpu_s_per_million_lines": round(cpu_s_per_million_lines, 2),
        "lines_per_s": round(best.lines_per_s, -3),
        **hop_constants(cpu_s_per_million_lines),
        "resident_base_bytes": base,
        "resident_bytes_per_series": round(per_series),
        "measured_at": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": first_line("git", "rev-parse", "--short", "HEAD"),
        "command": COMMAND,
    }
    FILE.write_text(json.dumps(values, indent=2) + "\n")
    rows = "\n".join(f"| {name} | {value} |" for name, value in values.items())
    return f"## Constants: `{COMMAND}`\n\n| constant | measured |\n|---|---|\n{rows}\n"


def hop_constants(cpu_s_per_million_lines: float) -> dict[str, float]:
    """What a hop costs: as many times a line as where both are taken in the same way."""
    cost = measure_hops(HOPS, 2)
    line_s, hop_s = (sum(cost.cpu_s(form).values()) for form in FORMS)
    thin_s = cost.thin_cpu_s * 1e6 / HOPS
    return {
        "bytes_per_hop": round(max(cost.bytes_a_row.values()), 2),
        "wire_bytes_per_hop": round(cost.wire_bytes, 1),
        "cpu_s_per_million_hops": round(cpu_s_per_million_lines * hop_s / line_s + thin_s, 2),
    }


def stored(folder: Path, flows: int, every_s: float, span_s: float) -> dict[str, float]:
    """Bytes a raw line and a minute's row take once merged, and a line on the wire."""
    folder.mkdir()
    store = Store(f"chdb://{folder}/engine", folder, SystemClock(), StoreSettings(rollup_wait_s=0))
    store.open()
    try:
        lines, wire = 0, 0
        for body, count in bodies(flows, every_s, span_s):
            at = time.time()
            store.write(
                parse(
                    body, precision="ns", db="d", received_at_ns=int(at * 1e9), max_ahead_s=3600.0
                ),
                None,
                at,
            )
            lines, wire = lines + count, wire + len(body)
        store.flush(120)
        for name in ("messages", "minute"):
            store._engine.command(f"OPTIMIZE TABLE {name} FINAL")
        tables: dict[str, tuple[int, int]] = {}
        for part in store.usage().partitions:
            size, rows = tables.get(part.table, (0, 0))
            tables[part.table] = size + part.size_bytes, rows + part.row_count
    finally:
        store.close()
    minute_bytes, minute_rows = tables["minute"]
    return {
        "raw_line": tables["messages"][0] / lines,
        "minute_row": minute_bytes / minute_rows,
        "wire_line": wire / lines,
    }


def bodies(flows: int, every_s: float, span_s: float) -> list[tuple[bytes, int]]:
    """Bodies of all flows' reports, one every `every_s`, ending now; each with its line count."""
    chance = random.Random(1)
    medians = [math.exp(chance.gauss(math.log(80), 1.0)) for _ in range(flows)]
    end = time.time()
    found = []
    for step in range(int(span_s / every_s)):
        at = end - span_s + step * every_s
        text = "".join(
            f"messages,tenant=customer-{n % 97},source={('web', 'ios')[n % 2]},"
            f"integration=int-{n // 97},pipeline=events,stage=delivered,outcome=ok "
            f"count={chance.randint(1, 40)}i,"
            f"latency_ms={median * math.exp(chance.gauss(0, SPREAD)):.1f} "
            f"{int((at + chance.random() * every_s) * 1e9)}\n"
            for n, median in enumerate(medians)
        )
        found.append((text.encode(), flows))
    return found


def _memory(folder: Path) -> tuple[int, float]:
    """Resident bytes with nothing stored, and what each series adds."""
    with StreamgaugeProcess(folder).start() as process:
        _let_detection_look(process)
        base = machine.resident_bytes(process.pid)
        for turn in range(3):
            for start in range(0, SERIES, 2_000):
                stamp = time.time_ns() - turn * 60 * 10**9
                text = "\n".join(
                    f"messages,tenant=t{n // 8},source=s{n % 8},integration=ga4 count=1i {stamp}"
                    for n in range(start, start + 2_000)
                )
                process.client.post("/write?db=x", content=text.encode()).raise_for_status()
        _let_detection_look(process)
        grown = machine.resident_bytes(process.pid) - base
    return base, max(grown, 0) / SERIES


def _let_detection_look(process: StreamgaugeProcess) -> None:
    """Until everything is stored, and detection has taken all of it in."""

    def figure(name: str) -> float:
        text = process.client.get("/metrics").raise_for_status().text
        return float(next(line.split()[1] for line in text.splitlines() if line.startswith(name)))

    eventually(lambda: not figure("streamgauge_lag_lines "), within_s=120, what="all lines")
    seen = figure("streamgauge_detect_turns_total ")
    eventually(
        lambda: figure("streamgauge_detect_turns_total ") >= seen + 2,
        within_s=120,
        what="two looks",
    )
