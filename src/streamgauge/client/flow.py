"""A flow named once, for code that counts many messages of it."""

from __future__ import annotations

from streamgauge.client.tally import RELIEVED_ABOVE, Part, Tally


class Flow:
    """Counts messages of one tenant, source, integration, pipeline and stage.

    Made by `Gauge.flow`. Nothing here blocks or raises.
    """

    __slots__ = ("_ok", "_place", "_tally")

    def __init__(self, tally: Tally, place: tuple[Part, Part, Part, Part, Part]) -> None:
        self._tally, self._place = tally, place
        self._ok = (*place, "ok", "")

    def ok(
        self,
        latency_s: float | None = None,
        queue_s: float | None = None,
        count: int = 1,
        bytes: int = 0,  # noqa: A002
    ) -> None:
        """So many messages went well; their durations in seconds."""
        tally = self._tally
        tally.append((self._ok, latency_s, queue_s, count, bytes))
        if len(tally.events) > RELIEVED_ABOVE:
            tally.relieve()

    def ended(
        self,
        outcome: Part,
        reason: Part = "",
        latency_s: float | None = None,
        queue_s: float | None = None,
        count: int = 1,
        bytes: int = 0,  # noqa: A002
    ) -> None:
        """So many messages came to that outcome: `error`, `filtered`, `retried`, `dropped`, …"""
        tally = self._tally
        tally.append(((*self._place, outcome, reason), latency_s, queue_s, count, bytes))
        if len(tally.events) > RELIEVED_ABOVE:
            tally.relieve()
