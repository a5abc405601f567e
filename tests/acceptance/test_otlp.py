"""OpenTelemetry's own SDK and exporters against the whole program: every count exact."""

from __future__ import annotations

import asyncio
import os
import random
import re
import subprocess
import sys
import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from examples.router.lines import Identity
from examples.router.queues.memory import MemoryQueue
from examples.router.reporting import make_reporting
from examples.router.vendors import VendorFault
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as ByGrpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as ByHttp
from opentelemetry.sdk.metrics import Counter as CounterInstrument
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    MetricExporter,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from tests.examples.recorded import Recorded
from tests.examples.rig import Rig
from tests.examples.virtual import VirtualClock

from streamgauge.testing.api import overview
from streamgauge.testing.process import StreamgaugeProcess, free_port
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

BOUNDS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
EXPLICIT = ExplicitBucketHistogramAggregation(BOUNDS)
EXPONENTIAL = ExponentialBucketHistogramAggregation()
DELTA, CUMULATIVE = AggregationTemporality.DELTA, AggregationTemporality.CUMULATIVE
PAGE = Path(__file__).parents[2] / "docs" / "otlp.md"
NEVER_MS = 1e9
"""The reader exports when it is told to."""


@pytest.fixture(scope="module")
def grpc_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, grpc_port: int
) -> Iterator[StreamgaugeProcess]:
    config = f'[otlp]\ngrpc = "127.0.0.1:{grpc_port}"\n'
    folder = tmp_path_factory.mktemp("streamgauge")
    with StreamgaugeProcess(folder, config) as process:
        yield process.start()
        assert process.stop() == 0
        assert "Traceback" not in process.stderr
        assert "no longer gathers" not in process.stderr


class Router:
    """Counts by the SDK alone, and sends when it is told to."""

    def __init__(
        self, exporter: MetricExporter, tenant: str, aggregation: Aggregation = EXPONENTIAL
    ) -> None:
        reader = PeriodicExportingMetricReader(exporter, NEVER_MS, 30_000)
        resource = Resource.create({"service.name": "router", "service.instance.id": "r-1"})
        views = [View(instrument_type=Histogram, aggregation=aggregation)]
        self._provider = MeterProvider([reader], resource, views=views)
        meter = self._provider.get_meter("router", "1.0")
        self.messages = meter.create_counter("messages")
        self.latency = meter.create_histogram("message.latency", unit="s")
        self.backlog = meter.create_gauge("queue.backlog")
        self.oldest_age = meter.create_gauge("queue.oldest_age", unit="s")
        self._flow = {"tenant": tenant, "source": "web", "integration": "ga4"}

    def deliver(self, latencies_s: Sequence[float], outcome: str = "ok") -> None:
        flow = {**self._flow, "outcome": outcome}
        for latency_s in latencies_s:
            self.messages.add(1, flow)
            self.latency.record(latency_s, flow)

    def flush(self) -> None:
        assert self._provider.force_flush(30_000)

    def close(self) -> None:
        self._provider.shutdown(30_000)


def latencies(count: int, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [min(max(chance.lognormvariate(-1.5, 1.0), 0.01), 4.9) for _ in range(count)]


def by_http(url: str, temporality: AggregationTemporality, **options: Any) -> MetricExporter:
    preferred: Any = {CounterInstrument: temporality, Histogram: temporality}
    return ByHttp(f"{url}/v1/metrics", timeout=30, preferred_temporality=preferred, **options)


def by_grpc(port: int, temporality: AggregationTemporality) -> MetricExporter:
    preferred: Any = {CounterInstrument: temporality, Histogram: temporality}
    return ByGrpc(f"127.0.0.1:{port}", insecure=True, timeout=30, preferred_temporality=preferred)


def seen(
    server: StreamgaugeProcess, tenant: str, pipeline: str = "", **wanted: int
) -> dict[str, Any]:
    """The overview of a tenant, once it says what is wanted."""
    now = time.time()
    filters = {"tenant": tenant, **({"pipeline": pipeline} if pipeline else {})}

    def look() -> dict[str, Any] | None:
        found = overview(server.client, now - 3_600, now + 3_600, **filters)
        is_stored = not found["lag"]["lines"]  # in all tables: they are filled one after the other
        is_right = all(found[name] == value for name, value in wanted.items())
        return found if is_stored and is_right else None

    return eventually(look, within_s=20, what=f"{wanted} of {tenant}")


@pytest.mark.parametrize("aggregation", [EXPLICIT, EXPONENTIAL], ids=["explicit", "exponential"])
@pytest.mark.parametrize("temporality", [DELTA, CUMULATIVE], ids=["delta", "cumulative"])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_counts_are_exact_and_latencies_as_near_as_their_histogram(
    server: StreamgaugeProcess,
    grpc_port: int,
    protocol: str,
    temporality: AggregationTemporality,
    aggregation: Aggregation,
) -> None:
    tenant = f"{protocol}-{temporality.name}-{type(aggregation).__name__}"
    exporter = (
        by_http(server.url, temporality, compression=Compression.Gzip)
        if protocol == "http"
        else by_grpc(grpc_port, temporality)
    )
    router = Router(exporter, tenant, aggregation)
    sent = [latencies(count, count) for count in (150, 70, 1)]
    for some in sent:
        router.deliver(some)
        router.flush()
    router.deliver([0.3] * 7, "error")
    router.close()
    found = seen(server, tenant, messages=228, errors=7)
    values = np.array([*chain(*sent), *[0.3] * 7])
    for name, rank in (("p50_s", 0.5), ("p90_s", 0.9), ("p99_s", 0.99)):
        right = float(np.quantile(values, rank, method="inverted_cdf"))
        if aggregation is EXPONENTIAL:  # 160 buckets over nine doublings, and ours
            width = 2 ** (1 / 16 + 1 / 32)
            assert right / width <= found["latency"][name] <= right * width
        else:
            place = bisect_left(BOUNDS, right)
            assert BOUNDS[place - 1] * 0.98 <= found["latency"][name] <= BOUNDS[place] * 1.02


def test_a_router_that_begins_anew_goes_on_counting(server: StreamgaugeProcess) -> None:
    for _ in range(3):
        router = Router(by_http(server.url, CUMULATIVE), "anew")
        router.deliver([0.1] * 40)
        router.flush()
        router.deliver([0.1] * 2)
        router.close()
    assert seen(server, "anew", messages=126)


def test_depths_of_queues(server: StreamgaugeProcess) -> None:
    router = Router(by_http(server.url, CUMULATIVE), "queues")
    of = {"queue": "ga4", "tenant": "queues"}
    router.backlog.set(17, of)
    router.oldest_age.set(2.5, of)
    router.deliver([0.1])
    router.close()
    found = seen(server, "queues", messages=1)["queue"]
    assert (found["backlog"], found["oldest_age_s"]) == (17, 2.5)


@contextmanager
def losing_answers(url: str) -> Iterator[tuple[str, list[int]]]:
    """A proxy that hands each request on, and every other time says 503 all the same."""
    told: list[int] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            kept = ("content-type", "content-encoding")
            headers = {name: self.headers[name] for name in kept if name in self.headers}
            answer = httpx.post(f"{url}{self.path}", content=body, headers=headers)
            told.append(answer.status_code if len(told) % 2 else 503)
            self.send_response(told[-1])
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            pass

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    serving = threading.Thread(target=proxy.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", told
    finally:
        proxy.shutdown()
        serving.join()
        proxy.server_close()


def test_what_is_sent_again_after_503_counts_once(server: StreamgaugeProcess) -> None:
    with losing_answers(server.url) as (url, told):
        router = Router(by_http(url, DELTA), "retried")
        for _ in range(2):
            router.deliver([0.1] * 25)
            router.flush()
        router.close()
    assert told[:4] == [503, 200, 503, 200]
    assert seen(server, "retried", messages=50)


def test_the_example_of_the_documentation(server: StreamgaugeProcess) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    command = [sys.executable, "-c", example]
    environment = {**os.environ, "STREAMGAUGE": server.url}
    subprocess.run(command, env=environment, check=True, timeout=60)
    found = seen(server, "acme", messages=42)
    assert found["latency"]["p50_s"] == pytest.approx(0.12, rel=0.02)
    assert found["queue"]["wait"]["p50_s"] == pytest.approx(0.02, rel=0.02)


def test_the_reference_router_by_the_sdk_alone(server: StreamgaugeProcess) -> None:
    reporting = Recorded(also=make_reporting("otel", server.url, Identity("router-7", "1"), 3_600))

    async def play() -> None:
        clock = VirtualClock()
        rig = Rig(clock, MemoryQueue(clock, 1_000), reporting=reporting)
        async with rig.service.running():
            rig.fail(VendorFault("s3", "status", ("globex", "acme"), status=500))
            for _ in range(10):
                await rig.post("acme", 11)
                await rig.post("acme", 4, source="ios", consent=False)
                await rig.post("globex", 7)
                await clock.advance(1)
            await clock.advance(60)
            assert set((await rig.unaccounted()).values()) == {0}

    asyncio.run(play())
    for tenant in ("acme", "globex"):
        hops = [hop for hop in reporting.hops if hop.tenant == tenant]
        ends = [hop for hop in hops if hop.stage != "received" and hop.outcome != "retried"]
        wanted = Counter(hop.outcome for hop in ends)
        # "acme" was told by the documentation's example, too, which has no stage but `delivered`
        seen(
            server,
            tenant,
            pipeline="events",
            messages=len(ends),
            received=sum(hop.stage == "received" for hop in hops),
            errors=wanted["error"],
            filtered=wanted["filtered"],
        )
        delays = [hop.latency_s for hop in ends if hop.latency_s is not None]
        right = float(np.quantile(delays, 0.9, method="inverted_cdf"))
        found = seen(server, tenant, pipeline="events")["latency"]["p90_s"]
        assert found == pytest.approx(right, rel=0.07)


def test_a_restart_in_the_middle_loses_and_doubles_nothing(
    server: StreamgaugeProcess, grpc_port: int
) -> None:
    """The last test: it leaves the process as it was, one start later."""
    routers = {}
    for temporality in (DELTA, CUMULATIVE):
        exporters = {
            "http": by_http(server.url, temporality),
            "grpc": by_grpc(grpc_port, temporality),
        }
        for protocol, exporter in exporters.items():
            tenant = f"restart-{protocol}-{temporality.name}"
            routers[tenant] = Router(exporter, tenant)
    for router in routers.values():
        router.deliver([0.1] * 30)
        router.flush()
    server.kill()
    flushing = []
    for router in routers.values():
        router.deliver([0.2] * 12)
        flushing.append(threading.Thread(target=router.close))
        flushing[-1].start()
    server.start()
    for thread in flushing:
        thread.join()
    for tenant in routers:
        assert seen(server, tenant, messages=42)
