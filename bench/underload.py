"""How long a small question takes while 50,000 lines a second arrive.

1. The server starts on an empty folder; a client sends 5,000-line bodies at a steady rate.
2. One customer's last five minutes are asked for again and again, as a page does; times are kept
   after the first seconds.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.month import TENANTS
from bench.questions import SMALL, Range
from bench.report import table
from bench.servers import Server, Streamgauge, find_peers
from bench.shape import LINES_PER_BODY, make_load

LINES_A_SECOND = 50_000
SECONDS = 30
WARM_S = 5
PAUSE_S = 0.05
GOAL_MS = 100.0


@dataclass(slots=True)
class Answers:
    """One server's times, seconds."""

    name: str
    times: list[float] = field(default_factory=list)
    late_s: float = 0.0
    """How far the sender was behind its rate in the end."""

    def p(self, share: int) -> float:
        """A percentile, ms."""
        return 1e3 * statistics.quantiles(self.times, n=100)[share - 1]


def watch(server: Server) -> Answers:
    """Send and ask at the same time."""
    load = make_load(LINES_A_SECOND * SECONDS)
    answers = Answers(server.name)
    stop = threading.Event()
    asking = threading.Thread(target=_ask, args=(server, load.to_s, answers, stop))
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        asking.start()
        began = time.monotonic()
        for number, body in enumerate(load.bodies):
            due = began + number * LINES_PER_BODY / LINES_A_SECOND
            time.sleep(max(due - time.monotonic(), 0))
            client.post(server.write_path, content=body, timeout=60).raise_for_status()
        answers.late_s = time.monotonic() - began - SECONDS
    stop.set()
    asking.join()
    return answers


def _ask(server: Server, to_s: int, answers: Answers, stop: threading.Event) -> None:
    first = to_s // 60 - 5
    began, turn = time.monotonic(), 0
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", trust_env=False) as client:
        while not stop.wait(PAUSE_S):
            turn += 1
            asked = Range(first, first + 5, f"t{turn * 37 % TENANTS:03}")
            path, parameters = SMALL[server.name](asked)
            at = time.perf_counter()
            client.get(path, params=dict(parameters), timeout=60).raise_for_status()
            if time.monotonic() - began > WARM_S:
                answers.times.append(time.perf_counter() - at)


def underload_text(say: Callable[[str], None] = print) -> str:
    """Measure, and tell it as a section of Markdown."""
    found = []
    kinds: list[Callable[[Path], Server]] = [Streamgauge, *find_peers()]
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            closing(kind(Path(folder))) as server,
        ):
            found.append(watch(server))
        say(f"· {found[-1].name}: p99 {found[-1].p(99):.0f} ms")
    rows = [
        (one.name, f"{one.p(50):.1f}", f"{one.p(99):.1f}", f"{max(one.late_s, 0):.1f}")
        for one in found
    ]
    word = "reached" if found[0].p(99) <= GOAL_MS else "missed"
    return "\n".join(
        [
            "## A small question under load: `python -m bench underload`",
            "",
            f"One customer's messages per minute over five minutes, asked every "
            f"{PAUSE_S * 1e3:.0f} ms while {LINES_A_SECOND:,} lines a second arrive for "
            f"{SECONDS} s, all on the same machine (goal {GOAL_MS:.0f} ms at p99: {word}).",
            "",
            *table(["", "p50, ms", "p99, ms", "sender late, s"], rows),
            "",
        ]
    )
