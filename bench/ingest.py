"""A million lines over HTTP, until a query finds them all: streamgauge beside VictoriaMetrics.

1. The server starts on an empty folder: it knows none of the series.
2. Two clients send 5,000-line bodies as fast as they are acknowledged.
3. The server is asked for the count until it is complete. Processor time is taken then.

The programs take turns, and every turn starts anew.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.sender import Senders
from bench.servers import (
    Server,
    Streamgauge,
    VictoriaMetrics,
    cpu_s,
    find_victoria_metrics,
    resident_bytes,
)
from bench.shape import LINES, Load, make_load

ROUNDS = 3
QUERYABLE_WITHIN_S = 120
LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True)
class Turn:
    """One measured run of one server."""

    acknowledged_s: float
    queryable_s: float
    """From the first byte sent until a query found everything."""
    server_cpu_s: float
    """Until then."""
    client_cpu_s: float
    resident_mb: float


@dataclass(slots=True)
class Measured:
    """All turns of one server."""

    name: str
    version: str
    turns: list[Turn] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """Of `Turn`'s fields."""
        return float(statistics.median(getattr(turn, figure) for turn in self.turns))

    def best(self, figure: str) -> float:
        """The least of `Turn`'s fields."""
        return float(min(getattr(turn, figure) for turn in self.turns))


def measure(
    line_count: int = LINES, rounds: int = ROUNDS, say: Callable[[str], None] = print
) -> tuple[Load, list[Measured], str | None]:
    """All servers in turns.

    Returns:
        The load, what was measured, and why a peer is missing (None when none is).
    """
    missing = find_victoria_metrics()
    kinds: Sequence[Callable[[Path], Server]] = (
        [Streamgauge] if missing else [Streamgauge, VictoriaMetrics]
    )
    load = make_load(line_count)
    results: dict[str, Measured] = {}
    for number in range(rounds):
        for kind in kinds if number % 2 == 0 else reversed(kinds):
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                server = kind(Path(folder))
                try:
                    turn = _turn(server, load)
                finally:
                    server.close()
            measured = results.setdefault(server.name, Measured(server.name, server.version))
            measured.turns.append(turn)
            say(
                f"· {server.name}: acknowledged {turn.acknowledged_s:.2f} s, queryable "
                f"{turn.queryable_s:.2f} s, {turn.server_cpu_s:.2f} CPU s "
                f"(clients {turn.client_cpu_s:.2f} CPU s)"
            )
    return load, list(results.values()), missing


def _turn(server: Server, load: Load) -> Turn:
    senders = Senders(server.port, server.write_path, load.bodies)
    cpu_before = cpu_s(server.pid)
    sent = senders.go()
    _wait_until_complete(server, load)
    return Turn(
        acknowledged_s=sent.acknowledged_s,
        queryable_s=time.monotonic() - sent.began_at,
        server_cpu_s=cpu_s(server.pid) - cpu_before,
        client_cpu_s=sent.client_cpu_s,
        resident_mb=resident_bytes(server.pid) / 1e6,
    )


def _wait_until_complete(server: Server, load: Load) -> None:
    deadline = time.monotonic() + QUERYABLE_WITHIN_S
    while not server.is_complete(load):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.name}: not queryable within {QUERYABLE_WITHIN_S} s")
        time.sleep(LOOK_EVERY_S)
