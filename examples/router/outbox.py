"""Carries reports to streamgauge: in order, the same bytes again until they are taken.

What cannot be delivered waits in a bounded buffer; what is pushed out of it, or refused for good,
is counted, never forgotten silently.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

import httpx
from examples.router.clock import Clock

log = logging.getLogger("router.outbox")
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 15.0


@dataclass(frozen=True, slots=True)
class Report:
    """One body, kept as it is for every attempt: that is how a retry is known."""

    body: bytes
    line_count: int


class Outbox:
    """A bounded first-in first-out buffer of reports and the loop that empties it."""

    def __init__(
        self, client: httpx.AsyncClient, write_url: str, clock: Clock, max_reports: int = 720
    ) -> None:
        self._client, self._write_url, self._clock = client, write_url, clock
        self._max_reports = max_reports
        self._reports: deque[Report] = deque()
        self._filled = asyncio.Event()
        self.lost_lines_total = 0
        self.sent_lines_total = 0

    def add(self, report: Report) -> None:
        """Keep a report for sending; the oldest goes when there is no more room."""
        self._reports.append(report)
        while len(self._reports) > self._max_reports:
            self._lose(self._reports.popleft(), "the buffer is full")
        self._filled.set()

    @property
    def waiting_count(self) -> int:
        """Reports not yet taken by streamgauge."""
        return len(self._reports)

    async def run(self) -> None:
        """Send for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            await self.drain()

    async def drain(self) -> None:
        """Send until nothing waits, backing off while streamgauge does not answer."""
        backoff_s = FIRST_BACKOFF_S
        while self._reports:
            if await self._send_first():
                backoff_s = FIRST_BACKOFF_S
            else:
                await self._clock.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, LONGEST_BACKOFF_S)

    async def _send_first(self) -> bool:
        """Whether the first report is off our hands, one way or the other."""
        report = self._reports[0]
        try:
            answer = await self._client.post(self._write_url, content=report.body)
        except httpx.TransportError as error:
            log.warning(
                "streamgauge does not answer (%r); %d reports wait", error, self.waiting_count
            )
            return False
        if answer.status_code in {429, 503} or answer.status_code >= 500:
            log.warning(
                "streamgauge answers %d; %d reports wait", answer.status_code, self.waiting_count
            )
            return False
        if self._reports and self._reports[0] is report:
            self._reports.popleft()
        if answer.is_success:
            self.sent_lines_total += report.line_count
        else:
            self._lose(report, f"streamgauge answers {answer.status_code}: {answer.text[:200]}")
        return True

    def _lose(self, report: Report, reason: str) -> None:
        self.lost_lines_total += report.line_count
        log.error("lost a report of %d lines: %s", report.line_count, reason)
