"""Reports by the OpenTelemetry SDK alone: nothing of streamgauge is needed in the router."""

from __future__ import annotations

from collections.abc import Mapping

from examples.router.lines import PIPELINE, Identity
from examples.router.queues import Depth
from examples.router.reporting import Hop
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource


class ByOtel:
    """Tells instruments by the names that streamgauge knows; `exporter` carries them there."""

    def __init__(self, exporter: MetricExporter, identity: Identity, interval_s: float) -> None:
        resource = Resource.create(
            {
                "service.name": "router",
                "service.instance.id": identity.router,
                "service.version": identity.version,
            }
        )
        reader = PeriodicExportingMetricReader(exporter, interval_s * 1000)
        exponential = View(
            instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation()
        )
        self._provider = MeterProvider([reader], resource, views=[exponential])
        meter = self._provider.get_meter("examples.router")
        self._messages = meter.create_counter("messages")
        self._bytes = meter.create_counter("message.bytes", unit="By")
        self._latency = meter.create_histogram("message.latency", unit="s")
        self._waited = meter.create_histogram("message.queue_time", unit="s")
        self._depths = {
            "backlog": meter.create_gauge("queue.backlog"),
            "oldest_age_s": meter.create_gauge("queue.oldest_age", unit="s"),
            "in_total": meter.create_gauge("queue.in"),
            "out_total": meter.create_gauge("queue.out"),
            "consumers": meter.create_gauge("queue.consumers"),
            "in_flight": meter.create_gauge("queue.in_flight"),
        }
        self._dead_letters = meter.create_gauge("router_report.dead_letters")

    def message(self, hop: Hop) -> None:
        """Count it, and how long it took."""
        flow = _attributes(hop)
        self._messages.add(1, flow)
        self._bytes.add(hop.size_bytes, flow)
        if hop.latency_s is not None:
            self._latency.record(hop.latency_s, flow)
        if hop.wait_s is not None:
            self._waited.record(hop.wait_s, flow)

    def queue(self, name: str, depth: Depth) -> None:
        """Tell its depth; each integration has a queue of its name."""
        of = {"queue": name, "integration": name, "pipeline": PIPELINE}
        for field, gauge in self._depths.items():
            gauge.set(getattr(depth, field), of)

    def dead_letters(self, count: int) -> None:
        """A value of our own."""
        self._dead_letters.set(count)

    def close(self, within_s: float) -> None:
        """Send what was counted last."""
        self._provider.shutdown(within_s * 1000)


def over_http(url: str) -> MetricExporter:
    """The exporter to a streamgauge at `url`."""
    return OTLPMetricExporter(f"{url.rstrip('/')}/v1/metrics")


def _attributes(hop: Hop) -> Mapping[str, str]:
    told = {
        "tenant": hop.tenant,
        "source": hop.source,
        "integration": hop.integration,
        "pipeline": PIPELINE,
        "stage": hop.stage,
        "outcome": hop.outcome,
        "reason": hop.reason,
    }
    return {name: value for name, value in told.items() if value}
