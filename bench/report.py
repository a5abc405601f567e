"""Writes what was measured to `bench/RESULTS.md`: machine, versions, date, command, figures."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.ingest import Measured
from bench.shape import SERIES, Load

RESULTS = Path(__file__).with_name("RESULTS.md")
GOAL = 0.4
"""The least share of VictoriaMetrics' speed that ingest should reach."""

_FIGURES = {
    "acknowledged_s": "acknowledged, s",
    "queryable_s": "queryable, s",
    "server_cpu_s": "server, CPU s",
    "client_cpu_s": "clients, CPU s",
    "resident_mb": "resident, MB",
}


def ingest_text(load: Load, results: list[Measured], missing: str | None) -> str:
    """The section about ingest, as Markdown."""
    names = [f"{m.name} {m.version}" for m in results]
    lines = [
        "## Ingest: `python -m bench ingest`",
        "",
        f"{load.line_count:,} lines of {load.bytes_per_line:.0f} bytes over {SERIES:,} series, in "
        f"{len(load.bodies)} bodies, two clients on the same machine, {len(results[0].turns)} "
        "turns each, in alternation. Median, best in brackets. Streamgauge journals every line "
        "before it acknowledges and rolls up minutes and latency histograms; VictoriaMetrics "
        "stores raw points and acknowledges from memory.",
        "",
        f"| | {' | '.join(names)} |",
        f"|---|{'---:|' * len(names)}",
    ]
    for figure, words in _FIGURES.items():
        cells = [f"{m.median(figure):.2f} ({m.best(figure):.2f})" for m in results]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    lines += ["", missing or _verdict(results), ""]
    return "\n".join(lines)


def _verdict(results: list[Measured]) -> str:
    ours, theirs = results
    ratio = speed_ratio(results)
    cpu = ours.median("server_cpu_s") / theirs.median("server_cpu_s")
    word = "reached" if ratio >= GOAL else "missed"
    return (
        f"Until queryable, streamgauge runs at **{ratio:.2f} times** the speed of VictoriaMetrics "
        f"(goal {GOAL}: {word}) and uses {cpu:.1f} times its processor time."
    )


def speed_ratio(results: list[Measured]) -> float:
    """Speed of the first over that of the second, medians until queryable."""
    ours, theirs = results
    return theirs.median("queryable_s") / ours.median("queryable_s")


def write_results(sections: list[str], load_before: float) -> None:
    """Replace the file by these sections and the facts of this run.

    Args:
        sections: Markdown.
        load_before: the machine's load average before the run.
    """
    packages = ", ".join(f"{name} {version(name)}" for name in ("chdb", "polars", "granian"))
    facts = (
        f"# What was measured\n\nWritten by `make bench` on {datetime.now(UTC):%Y-%m-%d} (UTC): "
        f"{os.cpu_count()} of {_processor()}, {_memory_gb():.0f} GB, Linux "
        f"{platform.release().split('-')[0]}, Python {platform.python_version()}, {packages}. "
        f"Load average before: {load_before:.1f}. "
        "Figures of other machines differ; the ratios are what to look at.\n"
    )
    RESULTS.write_text("\n".join([facts, *sections]))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
