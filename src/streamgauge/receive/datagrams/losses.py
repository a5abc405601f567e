"""What a listener took and what it lost; nobody else tells these senders.

Shown as the listener's health, on `/metrics`, and in the ledger of what was refused.
"""

from __future__ import annotations

from enum import StrEnum

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive import metrics
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.ledger import RefusalLedger


class Loss(StrEnum):
    """Where it was lost; the names stand in `/metrics`."""

    KERNEL = "kernel"
    """The socket's buffer was full: we did not read fast enough."""
    QUEUE = "queue"
    """Our own buffer was full: parser or disk were not fast enough."""
    NOT_KEPT = "not_kept"
    """Nothing of it could be kept, or we were stopped before it was."""
    NOT_ALLOWED = "not_allowed"
    """The sender's address is not in `allow`."""
    TOO_LARGE = "too_large"
    """Longer than is taken."""
    CUT_OFF = "cut_off"
    """The connection ended in the middle of a line."""


class Losses:
    """Of one listener. Threads may share it.

    Args:
        path: of the origin, the label in `/metrics`: `udp`, `unixgram`, `unix`.
        ledger: of what was refused.
        pulse: health of the listener.
    """

    def __init__(self, path: str, ledger: RefusalLedger, pulse: Pulse) -> None:
        self.path = path
        self._ledger, self._pulse = ledger, pulse
        pulse.lost(0)
        for loss in Loss:  # so that the first one shows as a rise
            metrics.UNANSWERED_LOST.labels(path, loss.value)

    def count(self, loss: Loss, count: int, why: str) -> None:
        """Count `count` datagrams, or lines of a stream, that are lost; `why` is for people."""
        if not count:
            return
        metrics.UNANSWERED_LOST.labels(self.path, loss.value).inc(count)
        told = f"{self.path}: {why}"
        self._ledger.count_request(
            _REASONS[loss], told, is_deferred=False, is_told=False, count=count
        )
        self._pulse.lost(count)


_REASONS = {
    Loss.KERNEL: RefusalReason.UNANSWERED,
    Loss.QUEUE: RefusalReason.UNANSWERED,
    Loss.NOT_KEPT: RefusalReason.UNANSWERED,
    Loss.NOT_ALLOWED: RefusalReason.NOT_ALLOWED,
    Loss.TOO_LARGE: RefusalReason.BODY_TOO_LARGE,
    Loss.CUT_OFF: RefusalReason.UNREADABLE_BODY,
}
