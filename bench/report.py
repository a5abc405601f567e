"""Writes what was measured to `bench/RESULTS.md`: machine, versions, date, command, figures."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

RESULTS = Path(__file__).with_name("RESULTS.md")
_TITLE = """# What was measured

Each section is written by its command, all of them by `make bench`. Figures of other machines
differ; the ratios are what to look at."""


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of Markdown; the first column is of words, the others of figures."""
    return [
        f"| {' | '.join(heads)} |",
        f"|---|{'---:|' * (len(heads) - 1)}",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def write_results(sections: Sequence[str], order: Sequence[str], load_before: float) -> None:
    """Put these sections into the file, each with the facts of its run; others stay.

    Args:
        sections: Markdown; each heading ends in its command, `python -m bench NAME`.
        order: all names, as they are to stand in the file.
        load_before: the machine's load average before the run.
    """
    told = RESULTS.read_text() if RESULTS.exists() else ""
    kept = {_name_of(part): f"## {part}" for part in told.split("\n## ")[1:]}
    facts = _facts(load_before)
    for section in sections:
        head, _, rest = section.partition("\n")
        kept[_name_of(head)] = f"{head}\n\n{facts}\n{rest}"
    written = [kept[name].rstrip() for name in order if name in kept]
    RESULTS.write_text("\n\n".join([_TITLE, *written]) + "\n")


def _name_of(section: str) -> str:
    return section.partition("\n")[0].rstrip("`").rpartition(" ")[2]


def _facts(load_before: float) -> str:
    commit = first_line("git", "describe", "--always", "--dirty") or "unknown"
    packages = ", ".join(f"{name} {version(name)}" for name in ("chdb", "polars", "granian"))
    return (
        f"*{datetime.now(UTC):%Y-%m-%d} (UTC), commit {commit}: {os.cpu_count()} of "
        f"{_processor()}, {_memory_gb():.0f} GB, Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, {packages}; load average before: {load_before:.1f}.*"
    )


def first_line(*command: str) -> str:
    """What a command prints first; empty where there is no such command."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.partition("\n")[0].strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
