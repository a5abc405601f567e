"""What hops cost, without HTTP, beside the same rows as line protocol; and what thinning costs.

A message is seen at three stages, under an id of 32 characters; two in a hundred fail, with a text.
Both forms carry the same rows. In one process, a stage after the other, as `parse` does it.
"""

from __future__ import annotations

import itertools
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass

from bench.parse import Stages
from bench.report import table
from bench.shape import LINES_PER_BODY, SPAN_S, make_series
from streamgauge.model.batch import Parsed
from streamgauge.receive.influx import parse
from streamgauge.receive.messages.decoding import decode
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.store import StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.intake import body_of
from streamgauge.store.journal.records import Kind, encode_body, frame
from streamgauge.store.migrate import migrate
from streamgauge.store.rollup.segment import build_segment
from streamgauge.store.settings import JourneySettings
from streamgauge.store.thinning import thin

STAGES = ("received", "processed", "delivered")
FAILED_SHARE = 0.02
TABLES = ("hops", "hops_kept", "error_minute", "error_samples", "last_seen", "seen_minute")
"""Emptied before each turn, with `messages` and its sums: no turn merges the rows of the former."""
GOAL = 0.5
"""Hops a second beside the same rows as line protocol, at least."""
FORMS = ("line protocol", "hops")
KEPT_SHARE = 0.3
"""The room for journeys, as a part of what all hops take."""
Read = Callable[[bytes, int], Parsed]
_REDACTION = Redaction()
"""One for all bodies, as in a process that serves."""


@dataclass(frozen=True, slots=True)
class HopLoad:
    """The same rows in both forms, in bodies of LINES_PER_BODY."""

    bodies: dict[str, list[bytes]]
    end_s: int
    """Of the hour of all stamps, epoch seconds."""


@dataclass(frozen=True, slots=True)
class HopCost:
    """What was measured."""

    stages: dict[str, Stages]
    """By form."""
    thinned: Stages
    bytes_a_row: dict[str, float]
    """By table, merged."""
    wire_bytes: float
    """Of a hop, unzipped."""

    def cpu_s(self, form: str) -> dict[str, float]:
        """By stage, best of the rounds."""
        rounds = self.stages[form].rounds
        return {stage: min(taken[stage][1] for taken in rounds) for stage in rounds[0]}

    @property
    def thin_cpu_s(self) -> float:
        """Best of the rounds."""
        return min(taken["thin"][1] for taken in self.thinned.rounds)


def hops_text(line_count: int, rounds: int) -> str:
    """The stages of both forms as Markdown, best of `rounds`."""
    return _as_markdown(measure_hops(line_count, rounds), line_count)


def measure_hops(line_count: int, rounds: int) -> HopCost:
    """Take the same rows in both forms, `rounds` times, and thin the hops."""
    stages = {form: Stages() for form in FORMS}
    thinned = Stages()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        engine = Engine(f"chdb://{folder}/store", StoreSettings())
        with closing(engine):
            engine.open()
            migrate(engine)
            for number in range(rounds):
                load = _make_load(line_count, seed=number)
                for form in FORMS if number % 2 == 0 else reversed(FORMS):
                    stages[form].rounds.append({})
                    _take(engine, stages[form], load, form, f"{number}-{form}")
                    if form == "hops":
                        thinned.rounds.append({})
                        sizes = _thin(engine, thinned, load)
    bodies = load.bodies["hops"]
    return HopCost(stages, thinned, sizes, sum(map(len, bodies)) / line_count)


def _make_load(line_count: int, seed: int) -> HopLoad:
    chance = random.Random(seed)
    start_s = int(time.time()) // 3600 * 3600 - 3600 * (seed + 4)
    rows = list(itertools.islice(_rows(chance, start_s, line_count), line_count))
    texts = {"line protocol": [_line(row) for row in rows], "hops": [json.dumps(r) for r in rows]}
    bodies = {
        form: [
            "\n".join(lines[at : at + LINES_PER_BODY]).encode()
            for at in range(0, line_count, LINES_PER_BODY)
        ]
        for form, lines in texts.items()
    }
    return HopLoad(bodies, start_s + 3600)


def _rows(chance: random.Random, start_s: int, line_count: int) -> Iterator[dict[str, object]]:
    series = list(make_series(chance))
    step_ns = SPAN_S * 10**9 * len(STAGES) // line_count
    for number in itertools.count():
        tags, at_ns = series[number % len(series)], start_s * 10**9 + number * step_ns
        message_id, size = f"{chance.getrandbits(128):032x}", chance.randint(100, 9999)
        outcome = "error" if chance.random() < FAILED_SHARE else "ok"
        for rank, stage in enumerate(STAGES):
            row = {
                "id": message_id,
                "time": at_ns + rank * 40_000_000,
                **tags,
                "stage": stage,
                "outcome": "ok",
            }
            row |= {"bytes": size, "latency_ms": chance.randint(1000, 99999) / 100 * rank}
            if stage == STAGES[-1]:
                row["outcome"] = outcome
            if row.get("outcome") == "error":
                row |= {"reason": "timeout", "error": f"timeout after {size} ms for {message_id}"}
            yield row


def _line(row: dict[str, object]) -> str:
    tags = ("tenant", "source", "integration", "pipeline", "stage", "outcome", "reason")
    key = ",".join(f"{name}={row[name]}" for name in tags if name in row)
    return f"messages,{key} bytes={row['bytes']}i,latency_ms={row['latency_ms']} {row['time']}"


def _by_line(body: bytes, now_ns: int) -> Parsed:
    return parse(body, precision="ns", db="bench", received_at_ns=now_ns)


def _by_hop(body: bytes, now_ns: int) -> Parsed:
    return decode(body, now_ns, _REDACTION, "bench")


def _take(engine: Engine, stages: Stages, load: HopLoad, form: str, token: str) -> None:
    for name in (*TABLES, "messages", "minute", "platform_minute"):
        engine.command(f"TRUNCATE TABLE {name}")
    now_s, bodies = time.time(), load.bodies[form]
    read: Read = _by_hop if form == "hops" else _by_line
    with stages.timed("decode"):
        parsed = [read(body, int(now_s * 1e9)) for body in bodies]
    kept = [body_of(one, None, now_s) for one in parsed]
    with stages.timed("journal: encode and checksum"):
        for body in kept:
            frame(Kind.BODY, 1, body.line_count, encode_body(body))
    size = max(StoreSettings().segment_max_lines // LINES_PER_BODY, 1)
    for first in range(0, len(kept), size):
        chosen = list(itertools.islice(enumerate(kept, 1), first, first + size))
        with stages.timed("segment: join, sort, sum"):
            segment = build_segment(chosen)
        with stages.timed("insert"):
            for name, rows in segment.tables.items():
                engine.insert(name, rows, f"{token}-{first}-{name}")


def _thin(engine: Engine, stages: Stages, load: HopLoad) -> dict[str, float]:
    """Bytes a hop, before and after."""
    engine.command("OPTIMIZE TABLE hops FINAL")
    before = _bytes_a_row(engine, "hops")
    room = KEPT_SHARE * before * _count(engine, "hops")
    settings = JourneySettings(whole_s=0, retention_s=24 * 3600, disk_bytes=int(room * 24 / 7))
    with stages.timed("thin"):
        thin(engine, settings, load.end_s, nullcontext)
    engine.command("OPTIMIZE TABLE hops_kept FINAL")
    return {"hops": before, "hops_kept": _bytes_a_row(engine, "hops_kept")}


def _count(engine: Engine, name: str) -> int:
    return int(engine.query(f"SELECT count() AS n FROM {name}").column("n")[0].as_py())


def _bytes_a_row(engine: Engine, name: str) -> float:
    sql = (
        "SELECT sum(bytes_on_disk) / sum(rows) AS n FROM system.parts "
        f"WHERE active AND table = '{name}'"
    )
    return float(engine.query(sql).column("n")[0].as_py())


def _as_markdown(cost: HopCost, line_count: int) -> str:
    cpu = {form: cost.cpu_s(form) for form in FORMS}
    rows = [[stage, *(f"{cpu[form][stage]:.2f}" for form in FORMS)] for stage in cpu["hops"]]
    sums = {form: sum(cpu[form].values()) for form in FORMS}
    sizes = cost.bytes_a_row
    ratio = sums["line protocol"] / sums["hops"]
    verdict = "met" if ratio >= GOAL else "missed"
    lines = [
        "## Hops: `python -m bench hops`",
        "",
        f"{line_count:,} hops, and the same rows as line protocol, in one process without HTTP. "
        f"CPU seconds, best of {len(cost.thinned.rounds)}.",
        "",
        *table(["stage", *FORMS], [*rows, ["sum", *(f"{sums[form]:.2f}" for form in FORMS)]]),
        "",
        f"Hops are taken {ratio:.2f} times as fast as lines; the goal of {GOAL:g} is {verdict}. "
        f"Thinning them to {KEPT_SHARE:.0%} took {cost.thin_cpu_s:.2f} CPU s more. A hop takes "
        f"{sizes['hops']:.0f} bytes of disk while all are kept, {sizes['hops_kept']:.0f} then.",
        "",
    ]
    return "\n".join(lines)
