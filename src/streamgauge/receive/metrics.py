"""What receiving tells about itself on /metrics."""

from __future__ import annotations

import threading

from prometheus_client import CollectorRegistry, Counter, Gauge

from streamgauge.model.batch import Parsed

REGISTRY = CollectorRegistry()

MAX_TENANTS = 200
"""Customers named in labels; the rest are counted together as `other`."""

LINES = Counter(
    "streamgauge_receive_lines_total", "Lines kept, retries included.", ["path"], registry=REGISTRY
)
REJECTED = Counter(
    "streamgauge_receive_rejected_total",
    "Lines refused, by class of reason and customer.",
    ["reason", "tenant"],
    registry=REGISTRY,
)
DEFERRED = Counter(
    "streamgauge_receive_deferred_lines_total",
    "Lines whose sender was told to send them again later (429), at every try, by class of reason "
    "and customer.",
    ["reason", "tenant"],
    registry=REGISTRY,
)
BODIES = Counter(
    "streamgauge_receive_bodies_total",
    "Bodies answered, by status.",
    ["path", "status"],
    registry=REGISTRY,
)
BODY_BYTES = Counter(
    "streamgauge_receive_body_bytes_total",
    "Bytes of bodies as they were sent.",
    ["path"],
    registry=REGISTRY,
)
DUPLICATES = Counter(
    "streamgauge_receive_duplicates_total",
    "Bodies known as retries, and not counted again.",
    ["path"],
    registry=REGISTRY,
)
EXEMPLARS = Counter(
    "streamgauge_receive_exemplars_total",
    "Exemplars that came with samples; they are not kept.",
    registry=REGISTRY,
)
DATAGRAMS = Counter(
    "streamgauge_receive_datagrams_total",
    "Datagrams read, lost ones included, by socket.",
    ["path"],
    registry=REGISTRY,
)
UNANSWERED_LOST = Counter(
    "streamgauge_receive_unanswered_lost_total",
    "Datagrams (of a stream: lines) that came by UDP or a Unix socket and were lost, by socket and "
    "where. Lines that were read and refused are counted as those of other ways in.",
    ["path", "where"],
    registry=REGISTRY,
)
IN_FLIGHT = Gauge(
    "streamgauge_receive_in_flight_bytes",
    "Bytes of bodies being read or waiting for a parser.",
    registry=REGISTRY,
)


class _Tenants:
    """The first customers met keep a label of their own."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._lock = threading.Lock()

    def label(self, tenant: str) -> str:
        with self._lock:
            if tenant not in self._known and len(self._known) < MAX_TENANTS:
                self._known.add(tenant[:100])
            return tenant if tenant in self._known else "other"


_TENANTS = _Tenants()


def count_parsed(path: str, parsed: Parsed) -> None:
    """Count the lines of a body that was taken."""
    LINES.labels(path).inc(parsed.line_count - parsed.rejected_count)
    for (reason, tenant), count in parsed.rejected_by.items():
        REJECTED.labels(reason, _TENANTS.label(tenant)).inc(count)


def count_deferred(parsed: Parsed) -> None:
    """Count the lines of a body of which nothing was kept for now."""
    for (reason, tenant), count in parsed.rejected_by.items():
        DEFERRED.labels(reason, _TENANTS.label(tenant)).inc(count)
