"""Prometheus remote write: the same bytes to streamgauge and to VictoriaMetrics.

As two shards of one Prometheus send them that scrapes routers every 15 s: for each flow a counter
and a latency histogram of 12 series, one sample a series and scrape, 2,000 samples a body.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cramjam

from bench.ingest import Measured, Turn, in_words, run, speed_ratio
from bench.report import table
from bench.servers import Server, Streamgauge, VictoriaMetrics, missing
from bench.shape import Load
from streamgauge.receive.prometheus import wire

SAMPLES = 1_000_000
FLOWS = 770
SAMPLES_PER_BODY = 2_000
"""Prometheus's `max_samples_per_send` since 2.53; 500 before."""
SCRAPE_S = 15
SHARDS = 2
BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "+Inf")
MOST = (0, 3, 9, 20, 9, 3, 1, 0, 0, 0)
"""Messages between two scrapes that end in each bucket, at most: nearly all within a second."""
SERIES_PER_FLOW = 1 + len(BOUNDS) + 2
GOAL = 0.5
"""How many times as fast as VictoriaMetrics."""

HEADERS = (
    "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n"
    "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
)


class StreamgaugeByRemoteWrite(Streamgauge):
    """Complete when every increase is counted."""

    write_path = "/api/v1/write"
    write_headers = HEADERS


class VictoriaMetricsByRemoteWrite(VictoriaMetrics):
    """Complete when every sample of the counters is found, after it was asked to show them."""

    write_path = "/api/v1/write"
    write_headers = HEADERS
    counted = "messages_total"

    def is_complete(self, load: Load) -> bool:
        return self.counts(load) == load.line_count // SERIES_PER_FLOW


@dataclass
class Flow:
    """A counter and a histogram, and the bytes of their labels."""

    heads: list[bytes]
    counts: list[int]
    """In each bucket alone."""

    def go_on(self, chance: random.Random) -> None:
        """Count some more messages."""
        for bound, most in enumerate(MOST):
            self.counts[bound] += chance.randint(0, most)

    def scraped(self, chance: random.Random) -> Iterator[tuple[bytes, float]]:
        """Each series with what it now stands at."""
        self.go_on(chance)
        upto = [sum(self.counts[: bound + 1]) for bound in range(len(BOUNDS))]
        values = [upto[-1], *upto, upto[-1], upto[-1] * 0.4]
        yield from zip(self.heads, map(float, values), strict=True)


def make_remote_load(sample_count: int = SAMPLES, seed: int = 1) -> Load:
    """Bodies by turns of one shard and the other; each has its series' samples in order."""
    chance = random.Random(seed)
    flows = [Flow(list(_heads(number)), [0] * len(BOUNDS)) for number in range(FLOWS)]
    scrapes, from_s, to_s = span_of(sample_count)
    shards: list[list[bytes]] = [[] for _ in range(SHARDS)]
    begun = 0
    for scrape in range(scrapes):
        stamp = (from_s + scrape * SCRAPE_S) * 1000
        for number, flow in enumerate(flows):
            shard = shards[number % SHARDS]
            shard += [_series(head, value, stamp) for head, value in flow.scraped(chance)]
        begun = begun or sum(sum(flow.counts) for flow in flows)
    bodies = [list(_bodies(shard)) for shard in shards]
    return Load(
        bodies=[body for turn in zip(*bodies, strict=True) for body in turn],
        line_count=scrapes * FLOWS * SERIES_PER_FLOW,
        message_count=sum(sum(flow.counts) for flow in flows) - begun,
        from_s=from_s,
        to_s=to_s,
    )


def span_of(sample_count: int) -> tuple[int, int, int]:
    """How often all series are scraped for so many samples, from when to when."""
    scrapes = max(sample_count // (FLOWS * SERIES_PER_FLOW), 2)
    to_s = int(time.time() // 60) * 60
    return scrapes, to_s - scrapes * SCRAPE_S, to_s


def labels_of(number: int) -> dict[str, str]:
    """The labels that all series of a flow have."""
    return {
        "instance": f"router-{number % 20}:9090",
        "integration": ("ga4", "s3", "webhook", "braze", "kafka", "redshift")[number % 6],
        "job": "router",
        "outcome": "ok",
        "pipeline": "events",
        "source": ("web", "ios", "android", "server")[number % 4],
        "tenant": f"t{number // 3:03}",
    }


def _heads(number: int) -> Iterator[bytes]:
    """The bytes of the labels of a flow's series."""
    common = labels_of(number)
    latency = "message_latency_seconds"
    yield _labels({**common, "__name__": "messages_total"})
    for bound in BOUNDS:
        yield _labels({**common, "__name__": f"{latency}_bucket", "le": bound})
    for end in ("count", "sum"):
        yield _labels({**common, "__name__": f"{latency}_{end}"})


def _labels(labels: dict[str, str]) -> bytes:
    pairs = sorted(labels.items())
    told = [wire.Label(name=name.encode(), value=value.encode()) for name, value in pairs]
    return bytes(
        wire.TimeSeries(labels=[one.SerializeToString() for one in told]).SerializeToString()
    )


def _series(head: bytes, value: float, stamp_ms: int) -> bytes:
    sample = wire.Sample(value=value, timestamp=stamp_ms).SerializeToString()
    return head + b"\x12" + bytes((len(sample),)) + bytes(sample)


def _bodies(shard: list[bytes]) -> Iterator[bytes]:
    for start in range(0, len(shard), SAMPLES_PER_BODY):
        some = shard[start : start + SAMPLES_PER_BODY]
        plain = wire.WriteRequest(timeseries=some).SerializeToString()
        yield bytes(cramjam.snappy.compress_raw(plain))


def measure_remote(
    sample_count: int, rounds: int, say: Callable[[str], None] = print
) -> tuple[Load, list[Measured]]:
    """Both servers in turns: ours first in the answer."""
    kinds: list[Callable[[Path], Server]] = [StreamgaugeByRemoteWrite]
    if missing(VictoriaMetrics) is None:
        kinds.append(VictoriaMetricsByRemoteWrite)
    load = make_remote_load(sample_count)
    results: dict[str, Measured] = {}
    for number in range(rounds):
        for kind in kinds if number % 2 == 0 else reversed(kinds):
            turn, name, version = _turn(kind, load)
            results.setdefault(name, Measured(name, version)).turns.append(turn)
            say(f"· {name}: {in_words(turn)}")
    return load, sorted(results.values(), key=lambda one: one.name != Streamgauge.name)


def _turn(kind: Callable[[Path], Server], load: Load) -> tuple[Turn, str, str]:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        closing(kind(Path(folder))) as server,
    ):
        return run(server, load), server.name, server.version


def remotewrite_text(sample_count: int = SAMPLES, rounds: int = 3) -> str:
    """Measure, and tell it as a section of Markdown."""
    load, results = measure_remote(sample_count, rounds)
    size = sum(map(len, load.bodies)) / load.line_count
    rows = {
        "acknowledged_s": "acknowledged, s",
        "queryable_s": "queryable, s",
        "server_cpu_s": "server, CPU s",
        "client_cpu_s": "clients, CPU s",
        "peak_mb": "resident at most, MB",
    }
    lines = [
        "## Prometheus remote write: `python -m bench remotewrite`",
        "",
        f"{load.line_count:,} samples of {size:.0f} bytes (snappy) of {FLOWS * SERIES_PER_FLOW:,} "
        f"series, a counter and a latency histogram for each of {FLOWS} flows, in "
        f"{len(load.bodies)} bodies, two shards, {len(results[0].turns)} turns each, in "
        "alternation. Median, best in brackets. Streamgauge journals what it acknowledges, turns "
        "counters into messages and histograms into its own; VictoriaMetrics stores samples.",
        "",
        *table(
            ["", *(f"{one.name} {one.version}" for one in results)],
            [
                [words, *(f"{one.median(figure):.2f} ({one.best(figure):.2f})" for one in results)]
                for figure, words in rows.items()
            ],
        ),
        "",
        *(_verdict(results[0], peer, load) for peer in results[1:]),
        *([reason] if (reason := missing(VictoriaMetrics)) else []),
        "",
    ]
    return "\n".join(lines)


def _verdict(ours: Measured, peer: Measured, load: Load) -> str:
    ratio = speed_ratio(ours, peer)
    cpu = ours.median("server_cpu_s") / peer.median("server_cpu_s")
    rate = load.line_count / ours.median("queryable_s")
    return (
        f"- {rate:,.0f} samples a second until queryable: **{ratio:.2f} times** the speed of "
        f"{peer.name} (goal {GOAL}: {'reached' if ratio >= GOAL else 'missed'}), with {cpu:.2f} "
        "times its processor time."
    )
