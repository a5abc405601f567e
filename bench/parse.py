"""Where the time of ingest goes, without HTTP: a stage after the other, each over the whole load.

In one process; in `streamgauge up` stages overlap, and HTTP, merging and detection come on top.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import blake2b

from bench.report import table
from bench.shape import Load, make_load
from streamgauge.receive.influx import parse
from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.intake import body_of
from streamgauge.store.journal.records import Kind, encode_body, frame
from streamgauge.store.migrate import migrate
from streamgauge.store.rollup.segment import build_segment

RAW = "messages"


class Stages:
    """Seconds and processor seconds of each stage, of each round."""

    def __init__(self) -> None:
        self.rounds: list[dict[str, tuple[float, float]]] = []

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what the block takes to a stage of this round."""
        wall, cpu = time.monotonic(), time.process_time()
        yield
        taken = self.rounds[-1]
        before = taken.get(stage, (0.0, 0.0))
        taken[stage] = (
            before[0] + time.monotonic() - wall,
            before[1] + time.process_time() - cpu,
        )


def parse_text(line_count: int, rounds: int) -> str:
    """The stages as Markdown, best of `rounds`."""
    stages = Stages()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        engine = Engine(f"chdb://{folder}/store", StoreSettings())
        with closing(engine):
            engine.open()
            migrate(engine)
            for number in range(rounds):
                stages.rounds.append({})
                now_s = time.time() - 600 * number
                _round(engine, stages, make_load(line_count, seed=number, now_s=now_s), number)
    return _as_markdown(stages, line_count)


def _round(engine: Engine, stages: Stages, load: Load, number: int) -> None:
    now_s = time.time()
    with stages.timed("parse"):
        parsed = [
            parse(body, precision="ns", db="bench", received_at_ns=int(now_s * 1e9))
            for body in load.bodies
        ]
    with stages.timed("know a retry: hash of the body"):
        keys = [blake2b(body, digest_size=16).digest() for body in load.bodies]
    bodies = [body_of(one, key, now_s) for one, key in zip(parsed, keys, strict=True)]
    with stages.timed("journal: encode and checksum"):
        for body in bodies:
            payload = encode_body(body)
            frame(Kind.BODY, 1, body.line_count, payload)
    size = max(StoreSettings().segment_max_lines * len(bodies) // load.line_count, 1)
    for first in range(0, len(bodies), size):
        chosen = list(itertools.islice(enumerate(bodies), first, first + size))
        with stages.timed("segment: join, sort, sum to minutes"):
            segment = build_segment(chosen)
        for name, rows in segment.tables.items():
            with stages.timed("insert raw rows" if name == RAW else "insert rollups"):
                engine.insert(name, rows, f"{number}-{first}-{name}")


def _as_markdown(stages: Stages, line_count: int) -> str:
    rows = []
    for stage in stages.rounds[0]:
        wall, cpu = min(taken[stage] for taken in stages.rounds)
        rows.append([stage, f"{wall:.2f}", f"{cpu:.2f}"])
    sums = [sum(float(row[at]) for row in rows) for at in (1, 2)]
    lines = [
        "## Where it goes: `python -m bench parse`",
        "",
        f"The same {line_count:,} lines in one process without HTTP, a stage after the other, "
        f"merges in the background included. Best of {len(stages.rounds)}. The server's HTTP, the "
        "journal's file, detection, and the questions whether all is there come on top.",
        "",
        *table(["stage", "s", "CPU s"], [*rows, ["sum", *(f"{one:.2f}" for one in sums)]]),
        "",
    ]
    return "\n".join(lines)
