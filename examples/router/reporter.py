"""Every few seconds, turns the ledger and the queues' depths into one report."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping

from examples.router.clock import Clock
from examples.router.ledger import Ledger
from examples.router.lines import Identity, message_lines, queue_lines, tags
from examples.router.outbox import Outbox, Report
from examples.router.queues import DEAD_LETTER, Depth

STAMP_BEFORE_END_NS = 1_000_000
"""Lines are stamped within the last millisecond of what they sum up, not in the next interval."""


class Reporter:
    """Reports at whole multiples of `interval_s`."""

    def __init__(
        self,
        ledger: Ledger,
        depths: Callable[[], Awaitable[Mapping[str, Depth]]],
        outbox: Outbox,
        clock: Clock,
        identity: Identity,
        interval_s: float,
    ) -> None:
        self._ledger, self._depths, self._outbox = ledger, depths, outbox
        self._clock, self._identity, self._interval_s = clock, identity, interval_s

    async def run(self) -> None:
        """Report for ever."""
        while True:
            now = self._clock.now()
            due_at = (math.floor(now / self._interval_s) + 1) * self._interval_s
            await self._clock.sleep(due_at - now)
            await self.report(due_at)

    async def report(self, end_at: float) -> None:
        """Put everything counted so far into the outbox, as of `end_at` (epoch seconds)."""
        at_ns = round(end_at * 1e9) - STAMP_BEFORE_END_NS
        depths = dict(await self._depths())
        dead_letters = depths.pop(DEAD_LETTER, None)
        lines = list(message_lines(self._ledger.take(), self._identity, at_ns))
        lines += queue_lines(depths, self._identity, at_ns)
        lines.append(self._own_line(dead_letters, at_ns))
        self._outbox.add(Report(("\n".join(lines) + "\n").encode(), len(lines)))

    def _own_line(self, dead_letters: Depth | None, at_ns: int) -> str:
        """Dead letters wait for people, not for a worker: they are no queue's backlog."""
        labels = tags(router=self._identity.router, version=self._identity.version)
        return (
            f"router_report{labels} lost_lines_total={self._outbox.lost_lines_total}i,"
            f"waiting_reports={self._outbox.waiting_count}i,"
            f"dead_letters={dead_letters.backlog if dead_letters else 0}i {at_ns}"
        )
