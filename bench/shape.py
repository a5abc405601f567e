"""The load of the measurements: 1,000,000 lines of about 127 bytes over 3,379 series.

What routers of a platform send that report each series once a second: per customer, source and
integration the messages delivered and how long they took. The same on every run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

LINES = 1_000_000
SERIES = 3_379
LINES_PER_BODY = 5_000
SPAN_S = 300
"""Event time that the load covers, up to the minute before it was made."""


@dataclass(frozen=True, slots=True)
class Load:
    """Bodies of line protocol, and what is in them."""

    bodies: list[bytes]
    line_count: int
    message_count: int
    from_s: int
    to_s: int
    """All stamps are in `from_s` ≤ stamp < `to_s`, epoch seconds."""

    @property
    def bytes_per_line(self) -> float:
        """With the line's end."""
        return sum(map(len, self.bodies)) / self.line_count


def make_load(
    line_count: int = LINES,
    seed: int = 1,
    now_s: float | None = None,
    lines_per_body: int = LINES_PER_BODY,
) -> Load:
    """The load, ending at the whole minute before `now_s` (epoch seconds; default now)."""
    chance = random.Random(seed)
    series = [_line_of(tags) for tags in make_series(chance)]
    to_s = int((now_s or time.time()) // 60) * 60
    from_s = to_s - SPAN_S
    lines, total = [], 0
    step_ns = SPAN_S * 10**9 // line_count
    for number in range(line_count):
        count = chance.randint(1, 99)
        total += count
        stamp = from_s * 10**9 + number * step_ns
        latency = chance.randint(1000, 99999) / 100
        lines.append(f"{series[number % SERIES]} count={count}i,latency_ms={latency:.2f} {stamp}\n")
    bodies = [
        "".join(lines[start : start + lines_per_body]).encode()
        for start in range(0, line_count, lines_per_body)
    ]
    return Load(bodies, line_count, total, from_s, to_s)


def make_series(chance: random.Random) -> Iterator[dict[str, str]]:
    """The tags of each series."""
    sources = ("web", "ios", "android", "server")
    integrations = ("ga4", "s3", "webhook", "braze", "kafka", "redshift")
    outcomes = ("ok", "ok", "ok", "error")
    every = list(product(range(250), sources, integrations))
    chance.shuffle(every)
    for tenant, source, integration in every[:SERIES]:
        yield {
            "tenant": f"t{tenant:03}",
            "source": source,
            "integration": integration,
            "pipeline": "events",
            "outcome": chance.choice(outcomes),
        }


def _line_of(tags: dict[str, str]) -> str:
    return ",".join(["messages", *(f"{name}={word}" for name, word in tags.items())])
