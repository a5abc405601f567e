"""`streamgauge replay`: history through the very pipeline of `up`, on a simulated clock.

1. The files are parsed and stored, in a store of their own that is removed at the end.
2. The clock steps from the first time stamp to the last; at each tick detection is given what
   was stamped since, and decides as it would have done live. What is older on that clock than it
   is kept is forgotten on the way, so that rules see what they would have seen.
3. Incidents are printed as NDJSON. Nothing is notified, nothing is kept.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from streamgauge.app.commands.chunks import read_chunks
from streamgauge.app.configuration import Configuration
from streamgauge.app.decide.judge import Judge
from streamgauge.app.wiring import expectations, false_pages, meaning, rules, store_settings
from streamgauge.detect.detector import Detector
from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.clock import SimulatedClock, rfc3339
from streamgauge.model.errors import PayloadError, StoreError
from streamgauge.model.feed import Delta
from streamgauge.model.incident import Incident, replay_shape
from streamgauge.receive.influx import parse
from streamgauge.receive.meaning.lineturn import LineMap
from streamgauge.store import Store

TICK_S = 10.0
"""As live."""

RETAIN_EVERY_S = 86_400.0
"""The store forgets whole days at a time, so that hours in between change nothing."""

QUIET_AFTER_S = 6 * 3600.0
"""So long after the last line every tick is judged; the rest of a longer gap is leapt over."""


_FUTURE_NS = 2**63 - 1


@dataclass(slots=True)
class Loaded:
    """What the files held."""

    lines: int = 0
    rejected: int = 0
    first_ns: int = _FUTURE_NS
    last_ns: int = -1


def run(files: list[Path], configuration: Configuration) -> None:
    """Replay `files` and print what would have been opened.

    Raises:
        PayloadError: a file cannot be read, or holds not one line with a time stamp.
    """
    with tempfile.TemporaryDirectory(prefix="streamgauge-replay-") as folder:
        clock = SimulatedClock()
        store = Store(f"chdb://{folder}/store", Path(folder), clock, store_settings(configuration))
        store.open()
        try:
            loaded = load(files, store, LineMap(meaning(configuration).rules))
            incidents = decide(store, clock, configuration, loaded)
        finally:
            store.close(flush_timeout_s=0.0)
    for incident in incidents:
        print(json.dumps(replay_shape(incident), ensure_ascii=False))


def load(files: list[Path], store: Store, lines: LineMap | None = None) -> Loaded:
    """Parse and store the files; bad lines are told on stderr and counted."""
    lines = lines or LineMap(())
    loaded, started = Loaded(), time.monotonic()
    for path, first_line, chunk in read_chunks(files):
        parsed = parse(
            chunk, precision="ns", db="replay", received_at_ns=-1, max_ahead_s=float("inf")
        )
        _tell_rejected(path, first_line, parsed)
        # A line arrives when it is stamped; a file holds no requests that could be known again.
        store.write(lines.mapped(parsed), None, _first_stamp_s(parsed.batch))
        _count(loaded, parsed)
        _progress(f"{loaded.lines:,} lines read")
    if loaded.last_ns < 0:
        raise PayloadError("nothing to replay: no line with a time stamp was found")
    if not store.flush(timeout_s=600):
        raise StoreError("the engine did not take the files within 10 minutes", permanent=False)
    rate = loaded.lines / max(time.monotonic() - started, 1e-9)
    _say(f"{loaded.lines:,} lines read ({rate:,.0f}/s), {loaded.rejected:,} refused")
    return loaded


def _count(loaded: Loaded, parsed: Parsed) -> None:
    loaded.lines += parsed.line_count
    loaded.rejected += parsed.rejected_count
    for table in _tables(parsed.batch):
        bounds = pc.min_max(table["time_ns"]).as_py()
        loaded.first_ns = min(loaded.first_ns, bounds["min"])
        loaded.last_ns = max(loaded.last_ns, bounds["max"])


def _tables(batch: Batch) -> list[pa.Table]:
    return [table for table in (batch.messages, batch.queue, batch.points) if table.num_rows]


def _first_stamp_s(batch: Batch) -> float:
    """Epoch seconds; 0 where there is no row."""
    firsts = (pc.min(table["time_ns"]).as_py() for table in _tables(batch))
    return float(min(firsts, default=0) / 1e9)


def _tell_rejected(path: Path, first_line: int, parsed: Parsed) -> None:
    for line in parsed.rejected[:3]:
        number = first_line + line.line_number - 1
        _say(f"{path}, line {number}: {line.reason}: {line.line}")


def decide(
    store: Store, clock: SimulatedClock, configuration: Configuration, loaded: Loaded
) -> list[Incident]:
    """All incidents in the order they opened, as they stand at the last time stamp."""
    said = expectations(configuration, loaded.first_ns / 1e9)
    judge = Judge(Detector(said, false_pages(configuration)), rules(configuration), store)
    found: dict[str, Incident] = {}
    is_watched, retain_at = sys.stderr.isatty(), 0.0
    for now, delta in _ticks(store, loaded):
        clock.move_to(now)
        if now >= retain_at:
            store.retain()
            retain_at = now + RETAIN_EVERY_S
        if delta is not None:
            judge.detector.observe(delta)
        changes = judge.decide(now)
        judge.accept(change.incident for change in changes)
        found |= {change.incident.id: change.incident for change in changes}
        if is_watched:
            _progress(f"replayed to {rfc3339(now)}, {len(found)} incidents")
    _say(f"replayed to {rfc3339(clock.now())}, {len(found)} incidents")
    return list(found.values())


def _ticks(store: Store, loaded: Loaded) -> Iterator[tuple[float, Delta | None]]:
    """Every tick from the first time stamp to the last with what was stamped in it."""
    first, last = loaded.first_ns / 1e9, loaded.last_ns / 1e9
    now = first
    # The last line itself is stamped at `last`: its tick ends after it.
    for tick_end, delta in store.replay_slices(first, last + TICK_S, TICK_S):
        leap_from = now + QUIET_AFTER_S
        while now + TICK_S < tick_end:
            now += TICK_S
            if now > leap_from and tick_end - now > QUIET_AFTER_S:
                now = tick_end - QUIET_AFTER_S
            yield now, None
        now = max(tick_end, now)
        yield now, delta


def _progress(words: str) -> None:
    """One line that is written over, for people alone."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


def _say(words: str) -> None:
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{words}", file=sys.stderr)
