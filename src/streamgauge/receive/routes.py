"""The addresses at which telemetry is taken in. Raw Starlette routes, for speed."""

from __future__ import annotations

from starlette.routing import Route

from streamgauge.receive.influx.answers import Version1, Version2
from streamgauge.receive.influx.ping import options, ping
from streamgauge.receive.influx.questions import ask_v1, ask_v2
from streamgauge.receive.influx.writing import WriteEndpoint
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.messages.endpoint import PATH, MessagesEndpoint
from streamgauge.receive.messages.left_out import LeftOut
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.otlp.endpoint import MetricsEndpoint, only_metrics
from streamgauge.receive.prometheus.writing import RemoteWriteEndpoint
from streamgauge.receive.workshop import Workshop


def routes(
    workshop: Workshop,
    metering: Metering | None = None,
    redaction: Redaction | None = None,
    left_out: LeftOut | None = None,
) -> list[Route]:
    """The routes of receiving: `/write`, `/api/v2/write`, `/api/v1/write`, `/v1/metrics`, `/ping`.

    Args:
        workshop: what all of them share.
        metering: takes bodies of metrics; without it, one that remembers nothing over restarts.
        redaction: of the texts of hops; the built-in rules without it.
        left_out: is told of keys of hops that are not understood.
    """
    metering = metering or Metering(workshop.intake)
    write_v1 = WriteEndpoint(workshop, Version1(), ask_v1, metering)
    write_v2 = WriteEndpoint(workshop, Version2(), ask_v2, metering)
    messages = MessagesEndpoint(workshop, redaction or Redaction(), left_out)
    return [
        Route("/write", write_v1.answer, methods=["POST"]),
        Route("/write", options, methods=["OPTIONS"]),
        Route("/api/v2/write", write_v2.answer, methods=["POST"]),
        Route("/api/v1/write", RemoteWriteEndpoint(workshop, metering).answer, methods=["POST"]),
        Route("/v1/metrics", MetricsEndpoint(workshop, metering).answer, methods=["POST"]),
        Route("/v1/traces", only_metrics, methods=["POST"]),
        Route("/v1/logs", only_metrics, methods=["POST"]),
        Route(PATH, messages.answer, methods=["POST"]),
        Route("/ping", ping, methods=["GET", "HEAD"]),
    ]
