"""Questions over 100 million minute rows: streamgauge beside VictoriaMetrics and InfluxDB.

1. Each server gets the same month of the same fleet, ours as the rollups that a month leaves.
2. Ours is started on it: the time until `/ready` is one of the figures.
3. Every question is asked of every server many times over one connection; every server first has to
   give the same totals.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.month import BUCKETS, DAYS, FLOWS, Fleet, bodies, fill
from bench.questions import ASKS, QUESTIONS, Question, total
from bench.report import table
from bench.servers import Server, find_peers
from streamgauge.app.configuration import Configuration
from streamgauge.app.wiring import store_settings
from streamgauge.model.clock import SystemClock
from streamgauge.store import Store
from streamgauge.store.engine.engine import Engine
from streamgauge.testing.process import StreamgaugeProcess

TIMES = 50
LEAST_TIMES = 5
BUDGET_S = 15.0
"""A slow answer is asked for fewer times."""
PATIENCE_S = 300
SETTLE_S = 30
"""Merging goes on after a bulk load; everyone gets the same pause."""


@dataclass(slots=True)
class Asked:
    """One server's times, seconds, for each question."""

    name: str
    loaded_s: float
    times: dict[str, list[float]] = field(default_factory=dict)
    start_s: float | None = None
    """From starting the process to `/ready`."""

    def p(self, question: str, share: int) -> float:
        """A percentile of a question's times, ms."""
        return 1e3 * statistics.quantiles(self.times[question], n=100)[share - 1]


def measure(days: int = DAYS, say: Callable[[str], None] = print) -> tuple[Fleet, list[Asked]]:
    """Every server that is here, one after the other."""
    fleet = Fleet.until_now(days)
    found = [_ours(fleet, say)]
    found += [_peer(kind, fleet, say) for kind in find_peers()]
    return fleet, found


def _ours(fleet: Fleet, say: Callable[[str], None]) -> Asked:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        began = time.monotonic()
        data = Path(folder) / "data"
        _fill(data, fleet)
        asked = Asked("streamgauge", time.monotonic() - began)
        process = StreamgaugeProcess(Path(folder), data=data)
        try:
            began = time.monotonic()
            process.start(PATIENCE_S)
            asked.start_s = time.monotonic() - began
            say(f"· streamgauge: ready after {asked.start_s:.1f} s")
            _ask_all(asked, process.port, fleet, say)
        finally:
            process.close()
    return asked


def _fill(data: Path, fleet: Fleet) -> None:
    """A store as `up` makes it, with the fleet in it."""
    url = f"chdb://{data / 'store'}"
    settings = store_settings(Configuration())
    store = Store(url, data, SystemClock(), settings)
    store.open()
    store.close()
    with closing(Engine(url, settings)) as engine:
        engine.open()
        fill(engine, fleet)


def _peer(kind: Callable[[Path], Server], fleet: Fleet, say: Callable[[str], None]) -> Asked:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        server = kind(Path(folder))
        try:
            began = time.monotonic()
            _load(server, fleet)
            asked = Asked(server.name, time.monotonic() - began)
            say(f"· {server.name}: {fleet.row_count:,} points in {asked.loaded_s:.0f} s")
            _ask_all(asked, server.port, fleet, say)
        finally:
            server.close()
    return asked


def _load(server: Server, fleet: Fleet) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE_S) as client:
        for body in bodies(fleet):
            client.post(server.write_path, content=body).raise_for_status()


def _ask_all(asked: Asked, port: int, fleet: Fleet, say: Callable[[str], None]) -> None:
    time.sleep(SETTLE_S)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
        for name, question in QUESTIONS.items():
            _check(client, asked.name, name, question, fleet)
            times: list[float] = []
            while len(times) < (TIMES if sum(times) < BUDGET_S else LEAST_TIMES):
                times.append(_time(client, asked.name, name, question, fleet, len(times)))
            asked.times[name] = times
            say(f"· {asked.name}: {question.words}: {asked.p(name, 50):.1f} ms")


def _time(
    client: httpx.Client, server: str, name: str, question: Question, fleet: Fleet, turn: int
) -> float:
    path, parameters = ASKS[server][name](question.range_of(fleet, turn))
    began = time.perf_counter()
    client.get(path, params=dict(parameters)).raise_for_status()
    return time.perf_counter() - began


def _check(client: httpx.Client, server: str, name: str, question: Question, fleet: Fleet) -> None:
    """Counts have to be right, or the times mean nothing."""
    if name not in ("fleet", "month"):
        return
    asked = question.range_of(fleet, 0)
    path, parameters = ASKS[server][name](asked)
    found = total(server, client.get(path, params=dict(parameters)).raise_for_status())
    told = fleet.messages(asked.first, asked.end)
    if found != told:
        raise RuntimeError(f"{server} counts {found:,} of {told:,} messages: {question.words}")


def queries_text(days: int = DAYS) -> str:
    """The section about queries, as Markdown."""
    fleet, found = measure(days)
    ours, peers = found[0], found[1:]
    heads = ["", *(f"{one.name} p50 (p95), ms" for one in found), "goal"]
    rows = [
        [
            question.words,
            *(f"{one.p(name, 50):.1f} ({one.p(name, 95):.1f})" for one in found),
            _goal(ours, peers, name),
        ]
        for name, question in QUESTIONS.items()
    ]
    start_s = ours.start_s or 0.0
    return "\n".join(
        [
            "## Queries: `python -m bench queries`",
            "",
            f"{fleet.row_count:,} minute rows: {FLOWS:,} flows that report every minute for "
            f"{fleet.days} days. Ours are the rollups that a month of ingest leaves, with "
            f"histograms of {BUCKETS} buckets; peers hold a count and a duration for each flow "
            f"and minute. Each question {LEAST_TIMES} to {TIMES} times over HTTP, about other "
            "customers or minutes every time; all servers gave the same totals first.",
            "",
            *table(heads, rows),
            "",
            f"streamgauge was ready {start_s:.1f} s after its start on this store (goal 3 s: "
            f"{_word(start_s <= 3)}).",
            "",
        ]
    )


def _goal(ours: Asked, peers: list[Asked], name: str) -> str:
    """What was to be reached, and whether it was."""
    mine = ours.p(name, 50)
    told = [f"100 ms: {_word(ours.p(name, 95) <= 100)}"]
    for peer in peers:
        theirs = peer.p(name, 50)
        if QUESTIONS[name].is_fleet_wide or peer.name == "InfluxDB":
            told.append(f"3 x {peer.name}: {theirs / mine:.1f} x, {_word(theirs >= 3 * mine)}")
        else:
            told.append(f"{peer.name} + 5 ms: {mine - theirs:+.1f}, {_word(mine <= theirs + 5)}")
    return "; ".join(told)


def _word(is_reached: bool) -> str:
    return "reached" if is_reached else "missed"
