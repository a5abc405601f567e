"""The seam between the router and what it reports by: one Protocol, an implementation a module.

`by_client` uses `streamgauge.client`, `by_otel` the OpenTelemetry SDK. Whatever is behind it, the
router's own code stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from examples.router.lines import Identity
from examples.router.queues import Depth


@dataclass(frozen=True, slots=True)
class Hop:
    """What happened to one message at one step of its way."""

    tenant: str
    source: str
    stage: str
    """`received`, `processed` or `delivered`."""
    outcome: str
    """`ok`, `error`, `retried`, `filtered` or `expired`."""
    integration: str = ""
    """Empty before messages are routed."""
    reason: str = ""
    size_bytes: int = 0
    latency_s: float | None = None
    """Since the message's first stamp; None where it has not arrived."""
    wait_s: float | None = None
    """In the queue."""
    message_id: str = ""
    error: str = ""
    """What went wrong, in words; errors that are alike are shown together by it."""


class Reporting(Protocol):
    """How the router says what happens. Nothing here blocks or raises, but for `close`."""

    def message(self, hop: Hop) -> None:
        """One message came to an outcome at a stage."""
        ...

    def queue(self, name: str, depth: Depth) -> None:
        """How full the queue of an integration is now; told once every interval."""
        ...

    def dead_letters(self, count: int) -> None:
        """Messages that wait for people, not for a worker: no queue's backlog."""
        ...

    def close(self, within_s: float) -> None:
        """Send what is counted, for so long at most. Blocks: call it in a thread."""
        ...


def make_reporting(kind: str, url: str, identity: Identity, interval_s: float) -> Reporting:
    """The reporting called `kind`: `client` or `otel`.

    Args:
        kind: which.
        url: of streamgauge.
        identity: the router's.
        interval_s: between two reports, seconds.

    Raises:
        ValueError: no such kind.
    """
    if kind == "client":
        from examples.router.reporting.by_client import TOLD_RATIO, ByClient

        from streamgauge.client import Gauge

        router, version = identity.router, identity.version
        gauge = Gauge(
            url, router=router, version=version, interval_s=interval_s, journeys=TOLD_RATIO
        )
        return ByClient(gauge)
    if kind == "otel":
        from examples.router.reporting.by_otel import ByOtel, over_http

        return ByOtel(over_http(url), identity, interval_s)
    raise ValueError(f"no reporting of kind {kind!r}; there are client and otel")
