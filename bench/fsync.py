"""What `[store] fsync` costs: the same load with and without it, in turns."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import closing
from pathlib import Path

from bench.ingest import ROUNDS, Turn, run
from bench.report import table
from bench.servers import Streamgauge
from bench.shape import make_load

LINES = 200_000
SMALL_LINES_PER_BODY = 100


def fsync_text(line_count: int = LINES, rounds: int = ROUNDS) -> str:
    """Measure, and tell it as a section of Markdown."""
    lines = [
        "## Power cuts: `python -m bench fsync`",
        "",
        f"{line_count:,} lines from two clients that wait for each answer, with `[store] fsync` "
        f"off and on; {rounds} turns each, in alternation, medians; a tenth of them in bodies of "
        f"{SMALL_LINES_PER_BODY}. It depends on the disk more than on anything else.",
        "",
        *table(
            ["lines a body", "off: ms a body", "on: ms a body", "off: CPU s", "on: CPU s"],
            [_row(line_count, rounds, size) for size in (5_000, SMALL_LINES_PER_BODY)],
        ),
        "",
    ]
    return "\n".join(lines)


def _row(line_count: int, rounds: int, lines_per_body: int) -> list[str]:
    count = line_count if lines_per_body > SMALL_LINES_PER_BODY else line_count // 10
    load = make_load(count, lines_per_body=lines_per_body)
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    for _ in range(rounds):
        for is_on, taken in turns.items():
            config = f"[store]\nfsync = {str(is_on).lower()}\n"
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as folder,
                closing(Streamgauge(Path(folder), config)) as server,
            ):
                taken.append(run(server, load))
    # two clients at the same time: a body takes twice its share
    each_ms = {
        is_on: 2e3 * statistics.median(t.acknowledged_s for t in taken) / len(load.bodies)
        for is_on, taken in turns.items()
    }
    cpu_s = {
        is_on: statistics.median(t.server_cpu_s for t in taken) for is_on, taken in turns.items()
    }
    return [
        f"{lines_per_body:,}",
        *(f"{each_ms[is_on]:.1f}" for is_on in (False, True)),
        *(f"{cpu_s[is_on]:.2f}" for is_on in (False, True)),
    ]
