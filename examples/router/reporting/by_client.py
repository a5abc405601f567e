"""Reports by `streamgauge.client`: it counts, sums up, sends, and keeps what cannot be sent yet."""

from __future__ import annotations

from examples.router.lines import PIPELINE
from examples.router.queues import Depth
from examples.router.reporting import Hop

from streamgauge.client import Gauge

TOLD_RATIO = 0.05
"""Of messages, told hop by hop beside all that fail; the others are counted."""


class ByClient:
    """Tells a gauge, which the caller makes."""

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge

    def message(self, hop: Hop) -> None:
        """Count it."""
        self._gauge.message(
            tenant=hop.tenant,
            source=hop.source,
            integration=hop.integration,
            pipeline=PIPELINE,
            stage=hop.stage,
            outcome=hop.outcome,
            reason=hop.reason,
            bytes=hop.size_bytes,
            latency_s=hop.latency_s,
            queue_s=hop.wait_s,
            id=hop.message_id,
            error=hop.error or None,
        )

    def queue(self, name: str, depth: Depth) -> None:
        """Tell its depth; each integration has a queue of its name."""
        self._gauge.queue(
            name,
            integration=name,
            pipeline=PIPELINE,
            backlog=depth.backlog,
            oldest_age_s=depth.oldest_age_s,
            in_total=depth.in_total,
            out_total=depth.out_total,
            consumers=depth.consumers,
            in_flight=depth.in_flight,
        )

    def dead_letters(self, count: int) -> None:
        """A value of our own."""
        self._gauge.point("router_report", {"dead_letters": count})

    def close(self, within_s: float) -> None:
        """Send the last sums."""
        self._gauge.close(within_s)
