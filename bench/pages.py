"""How long the server takes for a page and for what its charts ask.

1. `streamgauge up` is given 200 customers x 7 days, a line a minute and outcome, and queues that
   held something an hour a day; then it goes on receiving once a second.
2. The front page, a customer's page and every question of the front page's charts are asked in
   turns, one at a time, with the clock of the client on the same machine.

It has to be quiet on the machine: a busy one doubles every figure.
"""

from __future__ import annotations

import json
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import polars as pl
from lxml import html

from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

CUSTOMERS, DAYS, TURNS = 200, 7, 60
HOUR_MINUTES = 60
FILLED_WITHIN_S = 600
PAGE_GOAL_MS, CHART_GOAL_MS = 100, 50


@dataclass(slots=True)
class Asked:
    """One address, and how long each of its answers took, ms."""

    name: str
    address: str
    goal_ms: float
    took_ms: list[float] = field(default_factory=list)
    size: int = 0

    def at(self, percent: float) -> float:
        """A percentile, ms."""
        return float(np.percentile(self.took_ms, percent))


def pages_text(customers: int = CUSTOMERS, days: int = DAYS, turns: int = TURNS) -> str:
    """Measure, and tell it as a section of Markdown."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        process = StreamgaugeProcess(Path(folder)).start()
        try:
            lines = fill(process, customers, days)
            with Receiving(process, customers):
                asked = list(questions(process))
                for turn in range(turns + 3):
                    for one in asked:
                        ask(process, one, is_warm=turn >= 3)
        finally:
            process.close()
    return section(asked, lines, customers, days)


def fill(process: StreamgaugeProcess, customers: int, days: int) -> int:
    """Post the history, up to this minute, and wait until it is queryable; how many lines."""
    end = int(time.time() // 60)
    total = 0
    for hour in range(end - days * 24 * 60, end, HOUR_MINUTES):
        body = "\n".join(lines_of(customers, hour, min(hour + HOUR_MINUTES, end)))
        total += body.count("\n") + 1
        process.client.post("/write?db=bench", content=body.encode()).raise_for_status()
    eventually(lambda: not _waiting(process), within_s=FILLED_WITHIN_S, what="the whole history")
    return total


def _waiting(process: StreamgaugeProcess) -> int:
    """Lines that are not queryable yet."""
    answer = process.client.get("/api/v1/overview").raise_for_status()
    return int(answer.json()["lag"]["lines"])


def lines_of(customers: int, first: int, end: int) -> Iterator[str]:
    """Line protocol of the minutes since the epoch from `first` to before `end`."""
    count = customers * (end - first)
    chance = np.random.default_rng(first)
    frame = pl.DataFrame(
        {
            "tenant": np.tile(np.arange(customers), end - first),
            "minute": np.repeat(np.arange(first, end), customers),
            "ok": chance.integers(5, 200, count),
            "error": chance.integers(0, 3, count),
            "latency": chance.gamma(3, 30, count).round(2),
            "wait": chance.gamma(2, 5, count).round(2),
        }
    ).with_columns(
        at=pl.col("minute") * 60_000_000_000,
        key=pl.format(
            "messages,tenant=customer-{},source=web,integration={},pipeline=main",
            pl.col("tenant").cast(pl.String).str.zfill(3),
            pl.when(pl.col("tenant") % 2 == 0).then(pl.lit("ga4")).otherwise(pl.lit("s3")),
        ),
    )
    delivered = pl.format(
        "{},outcome=ok count={}i,latency_ms={},queue_ms={} {}",
        *("key", "ok", "latency", "wait", "at"),
    )
    failed = pl.format("{},outcome=error,reason=http_500 count={}i {}", "key", "error", "at")
    yield from frame.select(line=delivered)["line"]
    yield from frame.filter(pl.col("error") > 0).select(line=failed)["line"]
    for minute in range(first, end):
        waiting = 40 if minute % 1440 < 60 else 0
        for queue in ("ga4", "s3"):
            yield (
                f"queue,queue={queue} backlog={waiting}i,oldest_age_s={waiting / 10} "
                f"{minute * 60_000_000_000}"
            )


class Receiving:
    """Once a second one line of every customer, while the block runs."""

    def __init__(self, process: StreamgaugeProcess, customers: int) -> None:
        keys = (
            f"messages,tenant=customer-{n:03},source=web,integration=s3" for n in range(customers)
        )
        self._body = "\n".join(f"{key} count=3i,latency_ms=80" for key in keys).encode()
        self._process, self._stop = process, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.wait(1):
            self._process.client.post("/write?db=bench", content=self._body).raise_for_status()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def questions(process: StreamgaugeProcess) -> Iterator[Asked]:
    """The pages, the overview, and what the front page's charts ask."""
    yield Asked("front page", "/", PAGE_GOAL_MS)
    yield Asked("customer's page", "/customers/customer-007", PAGE_GOAL_MS)
    yield Asked("list of customers", "/customers", PAGE_GOAL_MS)
    yield Asked("overview, last hour", "/api/v1/overview", CHART_GOAL_MS)
    yield Asked("flows, last hour", "/api/v1/flows?by=tenant", CHART_GOAL_MS)
    page = html.document_fromstring(process.client.get("/", headers={"accept": "text/html"}).text)
    to_s = int(time.time() // 60) * 60
    for figure in page.cssselect("[data-chart]"):
        yield from chart_questions(figure.get("data-chart", ""), to_s)


def chart_questions(told: str, to_s: int) -> Iterator[Asked]:
    """What one chart asks, as `assets/timeseries.js` does."""
    spec = json.loads(told)
    whole = [line["metric"] for line in spec["lines"] if not line["by"]]
    parts = [line for line in spec["lines"] if line["by"]]
    asked = ([(",".join(whole), "")] if whole else []) + [
        (one["metric"], one["by"]) for one in parts
    ]
    for metric, by in asked:
        query = {
            "metric": metric,
            "from": to_s - spec["range"],
            "to": to_s,
            "step": spec["step"],
            **({"by": by} if by else {}),
        }
        address = f"/api/v1/timeseries?{urlencode(query)}"
        yield Asked(f"chart: {spec['title']}", address, CHART_GOAL_MS)


def ask(process: StreamgaugeProcess, one: Asked, *, is_warm: bool) -> None:
    """Once; kept when everything is warm."""
    began = time.perf_counter()
    answer = process.client.get(one.address, headers={"accept": "text/html, application/json"})
    took_s = time.perf_counter() - began
    answer.raise_for_status()
    if is_warm:
        one.took_ms.append(took_s * 1000)
        one.size = len(answer.content)


def section(asked: list[Asked], lines: int, customers: int, days: int) -> str:
    """As Markdown."""
    text = [
        "## Pages: `python -m bench pages`",
        "",
        f"Server time of answers over a store of {customers} customers x {days} days of minutes "
        f"({lines:,} lines), while it goes on receiving; {len(asked[0].took_ms)} times each, one "
        "after the other, over the loopback.",
        "",
        "| | p50, ms | p95, ms | goal, ms | kB |",
        "|---|---:|---:|---:|---:|",
    ]
    text += [
        f"| {one.name} | {one.at(50):.0f} | {one.at(95):.0f} | {one.goal_ms:.0f} "
        f"| {one.size / 1000:.0f} |"
        for one in asked
    ]
    late = [one.name for one in asked if one.at(95) > one.goal_ms]
    verdict = f"Missed at p95: {', '.join(late)}." if late else "Every goal is reached at p95."
    return "\n".join([*text, "", verdict, ""])
