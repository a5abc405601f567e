"""A million lines over HTTP, until a query finds them all: streamgauge beside its peers.

1. The server starts on an empty folder: it knows none of the series.
2. Two clients send 5,000-line bodies as fast as they are acknowledged.
3. The server is asked for the count until it is complete. Processor time is taken then.
4. In the last round it is left alone for a minute; then everything below its folder is weighed.

The programs take turns, and every turn starts anew.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from bench.report import table
from bench.sender import Senders
from bench.servers import Server, Streamgauge, find_peers, missing_peers
from bench.shape import LINES, SERIES, Load, make_load
from bench.usage import Watched, cpu_s, disk_bytes, resident_bytes
from streamgauge.testing.waiting import eventually

ROUNDS = 3
QUERYABLE_WITHIN_S = 120
LOOK_EVERY_S = 0.02
SETTLE_S = 60.0
"""After the last write; then the disk is looked at."""
SPEED_GOALS = {"VictoriaMetrics": 1.0, "InfluxDB": 2.5}
"""How many times as fast as the peer ingest should be, until everything is queryable."""

_FIGURES = {
    "acknowledged_s": "acknowledged, s",
    "queryable_s": "queryable, s",
    "server_cpu_s": "server, CPU s",
    "client_cpu_s": "clients, CPU s",
    "peak_mb": "resident at most, MB",
    "resident_mb": "resident after, MB",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured run of one server, all its processes together."""

    acknowledged_s: float
    queryable_s: float
    """From the first byte sent until a query found everything."""
    server_cpu_s: float
    """Until then."""
    client_cpu_s: float
    peak_mb: float
    resident_mb: float


@dataclass(slots=True)
class Measured:
    """All turns of one server."""

    name: str
    version: str
    turns: list[Turn] = field(default_factory=list)
    bytes_a_line: float = 0.0

    def median(self, figure: str) -> float:
        """Of `Turn`'s fields."""
        return float(statistics.median(getattr(turn, figure) for turn in self.turns))

    def best(self, figure: str) -> float:
        """The least of `Turn`'s fields."""
        return float(min(getattr(turn, figure) for turn in self.turns))


def measure(
    line_count: int, rounds: int, say: Callable[[str], None] = print
) -> tuple[Load, list[Measured]]:
    """All servers in turns: ours first in the answer."""
    kinds: list[Callable[[Path], Server]] = [Streamgauge, *find_peers()]
    load = make_load(line_count)
    results: dict[str, Measured] = {}
    for number in range(rounds):
        is_last = number == rounds - 1
        for kind in kinds if number % 2 == 0 else reversed(kinds):
            with (
                tempfile.TemporaryDirectory(prefix="bench-") as folder,
                closing(kind(Path(folder))) as server,
            ):
                measured = results.setdefault(server.name, Measured(server.name, server.version))
                measured.turns.append(run(server, load))
                if is_last:
                    time.sleep(SETTLE_S)
                    measured.bytes_a_line = disk_bytes(Path(folder)) / load.line_count
            say(f"· {measured.name}: {in_words(measured.turns[-1])}")
    return load, sorted(results.values(), key=lambda one: one.name != Streamgauge.name)


def in_words(turn: Turn) -> str:
    """For the terminal, while more is coming."""
    return (
        f"acknowledged {turn.acknowledged_s:.2f} s, queryable {turn.queryable_s:.2f} s, "
        f"{turn.server_cpu_s:.2f} CPU s (clients {turn.client_cpu_s:.2f} CPU s), "
        f"at most {turn.peak_mb:.0f} MB"
    )


def run(server: Server, load: Load) -> Turn:
    """Send the load and wait until all of it is found."""
    senders = Senders(server.port, server.write_path, load.bodies, headers=server.write_headers)
    cpu_before = cpu_s(server.pid)
    with Watched(server.pid) as watched:
        sent = senders.go()
        _wait_until_complete(server, load)
        took_s = time.monotonic() - sent.began_at
        used_s = cpu_s(server.pid) - cpu_before
    return Turn(
        acknowledged_s=sent.acknowledged_s,
        queryable_s=took_s,
        server_cpu_s=used_s,
        client_cpu_s=sent.client_cpu_s,
        peak_mb=watched.peak_bytes / 1e6,
        resident_mb=resident_bytes(server.pid) / 1e6,
    )


def _wait_until_complete(server: Server, load: Load) -> None:
    eventually(
        lambda: server.is_complete(load),
        within_s=QUERYABLE_WITHIN_S,
        every_s=LOOK_EVERY_S,
        what=f"every line at {server.name}",
    )


def ingest_text(line_count: int = LINES, rounds: int = ROUNDS) -> str:
    """Measure, and tell it as a section of Markdown."""
    load, results = measure(line_count, rounds)
    lines = [
        "## Ingest: `python -m bench ingest`",
        "",
        f"{load.line_count:,} lines of {load.bytes_per_line:.0f} bytes over {SERIES:,} series, in "
        f"{len(load.bodies)} bodies, two clients on the same machine, {len(results[0].turns)} "
        "turns each, in alternation. Median, best in brackets. Streamgauge journals every line "
        "before it acknowledges, and rolls up minutes, hours, days and latency histograms; the "
        "others store raw points, VictoriaMetrics acknowledges from memory. Disk is all that is "
        f"in the server's folder {SETTLE_S:.0f} s after the last write.",
        "",
        *table(["", *(f"{one.name} {one.version}" for one in results)], _rows(results)),
        "",
        *(_verdict(results[0], peer) for peer in results[1:]),
        *missing_peers(),
        "",
    ]
    return "\n".join(lines)


def _rows(results: list[Measured]) -> list[list[str]]:
    rows = [
        [words, *(f"{one.median(figure):.2f} ({one.best(figure):.2f})" for one in results)]
        for figure, words in _FIGURES.items()
    ]
    return [*rows, ["on disk, bytes a line", *(f"{one.bytes_a_line:.2f}" for one in results)]]


def _verdict(ours: Measured, peer: Measured) -> str:
    ratio = speed_ratio(ours, peer)
    cpu = ours.median("server_cpu_s") / peer.median("server_cpu_s")
    goal = SPEED_GOALS[peer.name]
    size = ours.bytes_a_line / peer.bytes_a_line
    return (
        f"- Until queryable, streamgauge runs at **{ratio:.2f} times** the speed of {peer.name} "
        f"(goal {goal}: {'reached' if ratio >= goal else 'missed'}), uses {cpu:.2f} times its "
        f"processor time and {size:.2f} times its disk"
        f"{' (goal 1: ' + ('reached' if size <= 1 else 'missed') + ')' if goal == 1 else ''}."
    )


def speed_ratio(ours: Measured, peer: Measured) -> float:
    """Speed of the first over that of the second, medians until queryable."""
    return peer.median("queryable_s") / ours.median("queryable_s")
