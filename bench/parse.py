"""Where the time of ingest goes, without HTTP: parse, journal, insert, one after the other.

In one process, each stage over the whole load before the next begins, so that each can be timed by
itself; in `streamgauge up` they overlap.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.shape import Load, make_load
from streamgauge.model.batch import Parsed
from streamgauge.model.clock import SystemClock
from streamgauge.receive.influx import parse
from streamgauge.store import Store, StoreSettings

T = TypeVar("T")


def parse_text(line_count: int, rounds: int) -> str:
    """The stages as Markdown, best of `rounds`."""
    stages: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        settings = StoreSettings(journal_max_bytes=10**10)
        store = Store(f"chdb://{folder}/store", Path(folder), SystemClock(), settings)
        store.open()
        try:
            for number in range(rounds):
                load = make_load(line_count, seed=number, now_s=time.time() - 600 * number)
                for stage, took in _stages(store, load).items():
                    stages.setdefault(stage, []).append(took)
        finally:
            store.close()
    return _as_markdown(stages, line_count)


def _stages(store: Store, load: Load) -> dict[str, tuple[float, float]]:
    """Seconds and processor seconds of each stage."""
    parsed, parse_took = _timed(lambda: [_parse(body) for body in load.bodies])
    _, write_took = _timed(lambda: [store.write(body, None, time.time()) for body in parsed])
    is_done, insert_took = _timed(lambda: store.flush(timeout_s=120))
    if not is_done:
        raise RuntimeError("the store did not insert everything within 120 s")
    return {"parse": parse_took, "journal": write_took, "insert and roll up": insert_took}


def _parse(body: bytes) -> Parsed:
    return parse(
        body, precision="ns", db="bench", received_at_ns=time.time_ns(), max_ahead_s=3600.0
    )


def _timed(work: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    wall, cpu = time.monotonic(), time.process_time()
    result = work()
    return result, (time.monotonic() - wall, time.process_time() - cpu)


def _as_markdown(stages: dict[str, list[tuple[float, float]]], line_count: int) -> str:
    lines = [
        "## Where it goes: `python -m bench parse`",
        "",
        f"The same {line_count:,} lines in one process without HTTP, a stage after the other (the "
        "insert begins while the journal is written). Best of "
        f"{len(next(iter(stages.values())))}.",
        "",
        "| stage | s | CPU s |",
        "|---|---:|---:|",
    ]
    for stage, turns in stages.items():
        wall, cpu = min(turns)
        lines.append(f"| {stage} | {wall:.2f} | {cpu:.2f} |")
    return "\n".join([*lines, ""])
