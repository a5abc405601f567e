"""Writes what was measured to `bench/RESULTS.md`: machine, versions, date, command, figures."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of Markdown; the first column is of words, the others of figures."""
    return [
        f"| {' | '.join(heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


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
