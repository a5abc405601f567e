"""OTLP over HTTP, beside VictoriaMetrics' remote write of the same samples.

The load is that of `remotewrite`: a counter and a latency histogram for each flow. It is sent in
two ways: a data point for each sample, and as OpenTelemetry writes it, a point for each histogram.
Bodies are what a Collector sends: 8,192 points, gzip.
"""

from __future__ import annotations

import gzip
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from bench.ingest import Measured, Turn, in_words, run, speed_ratio
from bench.remotewrite import (
    BOUNDS,
    FLOWS,
    GOAL,
    SAMPLES,
    SCRAPE_S,
    SHARDS,
    Flow,
    VictoriaMetricsByRemoteWrite,
    labels_of,
    make_remote_load,
    span_of,
)
from bench.report import table
from bench.servers import Server, Streamgauge, missing
from bench.shape import Load
from streamgauge.receive.otlp.known import Memory
from streamgauge.receive.otlp.protobuf import decode

POINTS_PER_BODY = 8_192
"""Source: OpenTelemetry Collector, batch processor, `send_batch_size`."""
HEADERS = "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n"
LATENCY = "message_latency_seconds"

Named = tuple[str, pb.NumberDataPoint | pb.HistogramDataPoint]
"""A metric's name and one of its points."""
Shape = Callable[[Flow, list[KeyValue], int, int], Iterator[Named]]
"""A flow, its attributes, start and time in nanoseconds → its points."""


class StreamgaugeByOtlp(Streamgauge):
    """A point for each sample. Complete when every message is counted."""

    name = "streamgauge, point by point"
    write_path = "/v1/metrics"
    write_headers = HEADERS


class StreamgaugeByOtlpHistograms(StreamgaugeByOtlp):
    """A point for each histogram."""

    name = "streamgauge, histograms"


def samples_as_points(
    flow: Flow, attributes: list[KeyValue], start_ns: int, time_ns: int
) -> Iterator[Named]:
    """A counter, and a series for each bucket, as Prometheus has them."""

    def point(value: float, *more: KeyValue) -> pb.NumberDataPoint:
        made = pb.NumberDataPoint(start_time_unix_nano=start_ns, time_unix_nano=time_ns)
        made.attributes.extend([*attributes, *more])
        made.as_double = value
        return made

    upto = [float(sum(flow.counts[: bound + 1])) for bound in range(len(BOUNDS))]
    yield "messages_total", point(upto[-1])
    for bound, value in zip(BOUNDS, upto, strict=True):
        yield f"{LATENCY}_bucket", point(value, attribute("le", bound))
    yield f"{LATENCY}_count", point(upto[-1])
    yield f"{LATENCY}_sum", point(upto[-1] * 0.4)


def histograms_as_points(
    flow: Flow, attributes: list[KeyValue], start_ns: int, time_ns: int
) -> Iterator[Named]:
    """A counter and a histogram, as an SDK has them."""
    total = sum(flow.counts)
    count = pb.NumberDataPoint(
        attributes=attributes, start_time_unix_nano=start_ns, time_unix_nano=time_ns, as_int=total
    )
    yield "messages", count
    histogram = pb.HistogramDataPoint(
        attributes=attributes,
        start_time_unix_nano=start_ns,
        time_unix_nano=time_ns,
        count=total,
        sum=total * 0.4,
        bucket_counts=flow.counts,
        explicit_bounds=[float(bound) for bound in BOUNDS[:-1]],
    )
    yield "message.latency", histogram


def attribute(key: str, value: str) -> KeyValue:
    """One of text."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def make_otlp_load(shape: Shape, sample_count: int = SAMPLES, seed: int = 1) -> Load:
    """Bodies by turns of one shard and the other, in the order of time."""
    chance = random.Random(seed)
    flows = [Flow([], [0] * len(BOUNDS)) for _ in range(FLOWS)]
    names = [[attribute(*pair) for pair in labels_of(number).items()] for number in range(FLOWS)]
    scrapes, from_s, to_s = span_of(sample_count)
    start_ns = (from_s - SCRAPE_S) * 10**9
    shards: list[list[Named]] = [[] for _ in range(SHARDS)]
    for scrape in range(scrapes):
        time_ns = (from_s + scrape * SCRAPE_S) * 10**9
        for number, flow in enumerate(flows):
            flow.go_on(chance)
            shards[number % SHARDS] += shape(flow, names[number], start_ns, time_ns)
    bodies = [list(_bodies(shard)) for shard in shards]
    return Load(
        bodies=[body for turn in zip(*bodies, strict=True) for body in turn],
        line_count=sum(map(len, shards)),
        message_count=sum(sum(flow.counts) for flow in flows),
        from_s=from_s,
        to_s=to_s,
    )


def _bodies(shard: Sequence[Named]) -> Iterator[bytes]:
    for begin in range(0, len(shard), POINTS_PER_BODY):
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.append(attribute("service.name", "router"))
        metrics = of_resource.scope_metrics.add().metrics
        by_name: dict[str, pb.Metric] = {}
        for name, point in shard[begin : begin + POINTS_PER_BODY]:
            metric = by_name.get(name) or by_name.setdefault(name, metrics.add(name=name))
            if isinstance(point, pb.NumberDataPoint):
                metric.sum.data_points.append(point)
                metric.sum.is_monotonic = True
                metric.sum.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_CUMULATIVE
            else:
                metric.histogram.data_points.append(point)
                metric.histogram.aggregation_temporality = pb.AGGREGATION_TEMPORALITY_CUMULATIVE
        yield gzip.compress(request.SerializeToString(), 1)


Kind = Callable[[Path], Server]


def measure_otlp(
    sample_count: int, rounds: int, say: Callable[[str], None] = print
) -> list[tuple[Measured, Load]]:
    """All in turns: ours first in the answer."""
    loads: list[tuple[Kind, Load]] = [
        (StreamgaugeByOtlp, make_otlp_load(samples_as_points, sample_count)),
        (StreamgaugeByOtlpHistograms, make_otlp_load(histograms_as_points, sample_count)),
    ]
    if missing(VictoriaMetricsByRemoteWrite) is None:
        loads.append((VictoriaMetricsByRemoteWrite, make_remote_load(sample_count)))
    results: dict[int, tuple[Measured, Load]] = {}
    for number in range(rounds):
        order = range(len(loads)) if number % 2 == 0 else reversed(range(len(loads)))
        for place in order:
            kind, load = loads[place]
            turn, name, version = _turn(kind, load)
            results.setdefault(place, (Measured(name, version), load))[0].turns.append(turn)
            say(f"· {name}: {in_words(turn)}")
    return [results[place] for place in sorted(results)]


def _turn(kind: Kind, load: Load) -> tuple[Turn, str, str]:
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        closing(kind(Path(folder))) as server,
    ):
        return run(server, load), server.name, server.version


def reading_cpu_s(load: Load) -> float:
    """Processor time of decoding all bodies, unzipped, whose series are known; best of 3."""
    plain, memory, taken = [gzip.decompress(body) for body in load.bodies], Memory(), []
    now_ns = int(time.time() * 1e9)
    for _ in range(4):
        begun = time.process_time()
        for body in plain:
            decode(body, now_ns, memory)
        taken.append(time.process_time() - begun)
    return min(taken[1:])


def otlp_text(sample_count: int = SAMPLES, rounds: int = 3) -> str:
    """Measure, and tell it as a section of Markdown."""
    results = measure_otlp(sample_count, rounds)
    rows = {
        "acknowledged_s": "acknowledged, s",
        "queryable_s": "queryable, s",
        "server_cpu_s": "server, CPU s",
        "peak_mb": "resident at most, MB",
    }
    (by_points, points), (by_histograms, histograms), *peers = results
    lines = [
        "## OpenTelemetry: `python -m bench otlp`",
        "",
        f"The {points.line_count:,} samples of `remotewrite`, over OTLP/HTTP in protobuf and gzip, "
        f"{POINTS_PER_BODY:,} points a body: point by point ({_size(points):.0f} bytes each), and "
        f"as OpenTelemetry writes them, {histograms.line_count:,} points of which half are "
        f"histograms ({_size(histograms):.0f} bytes each). VictoriaMetrics gets them by remote "
        f"write. {len(by_points.turns)} turns each, in alternation. Median, best in brackets.",
        "",
        *table(
            ["", *(f"{one.name} {one.version}" for one, _ in results)],
            [
                [
                    words,
                    *(f"{one.median(figure):.2f} ({one.best(figure):.2f})" for one, _ in results),
                ]
                for figure, words in rows.items()
            ],
        ),
        "",
        *(_verdict(by_points, points, peer) for peer, _ in peers),
        *(_verdict(by_histograms, histograms, peer) for peer, _ in peers),
        f"- Reading them alone takes {reading_cpu_s(points):.2f} CPU s point by point and "
        f"{reading_cpu_s(histograms):.2f} CPU s as histograms, once their series are known.",
        *([] if peers else [missing(VictoriaMetricsByRemoteWrite) or ""]),
        "",
    ]
    return "\n".join(lines)


def _size(load: Load) -> float:
    return sum(map(len, load.bodies)) / load.line_count


def _verdict(ours: Measured, load: Load, peer: Measured) -> str:
    ratio = speed_ratio(ours, peer)
    cpu = ours.median("server_cpu_s") / peer.median("server_cpu_s")
    rate = load.line_count / ours.median("queryable_s")
    way = ours.name.partition(", ")[2]
    return (
        f"- {way[0].upper()}{way[1:]}: {rate:,.0f} data points a second until queryable; all of "
        f"it in **{ratio:.2f} times** the speed of {peer.name}'s remote write of the same samples "
        f"(goal {GOAL}: {'reached' if ratio >= GOAL else 'missed'}), with {cpu:.2f} times its "
        "processor time."
    )
