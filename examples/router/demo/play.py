"""The play: a week of history, then live traffic that goes wrong twice, and the end of it."""

from __future__ import annotations

import asyncio
import math
import time

from examples.router.demo.inbox import Inbox, Page
from examples.router.demo.plot import Plot
from examples.router.demo.stage import HOST, Stage
from examples.router.demo.terminal import Terminal
from examples.router.demo.upload import Uploaded, upload
from examples.router.demo.verdict import judge
from examples.router.demo.watch import Watch
from examples.router.fleet import customers
from examples.router.history import STEP_S, History
from examples.router.lines import Identity
from examples.router.serving import find_free_port, serving

DAYS = 7
BODY_MINUTES = 60
TAIL_STEPS = 6
"""The history's last minutes are reported as often as the live router does, so that the figures of
the last five minutes are right from the start."""
LIVE_STEP_S = 5.0
RECENT_S = 3600.0
"""Reported as often as live traffic is, so that how often is known when the faults begin."""
START_AHEAD_S = 3.0
"""Between deciding when the load starts and its start: time to write the history's last minute."""
QUERYABLE_S = 60.0
LOOK_EVERY_S = 1.0
PAGES_S = 15.0
"""After the last incident closed, time for the pager to be told."""


class Play:
    """One demonstration on one stage."""

    def __init__(self, stage: Stage, terminal: Terminal, plot: Plot) -> None:
        self._stage, self._terminal, self._plot = stage, terminal, plot
        self._inbox = Inbox(self._on_page)
        self._history = History(customers(), Identity("router-1", "1.0.0"))
        self._watch = Watch(stage.gauge, terminal)

    def _on_page(self, page: Page) -> None:
        if page.action == "create":
            self._terminal.say_briefly(f"paged: {page.priority} {page.message}")
        else:
            self._terminal.say_briefly(f"pager told of the end: {page.message}")

    async def run(self, *, is_check: bool) -> bool:
        """Play until the check is done; without one, until cancelled.

        Returns:
            Whether all assertions held.

        Raises:
            DemoError: something of the set-up failed.
        """
        pager_port = find_free_port()
        try:
            async with serving(self._inbox.app(), HOST, pager_port):
                self._terminal.step("starting streamgauge")
                await self._stage.start_streamgauge(pager_port)
                start_at = await self._begin()
                return await self._follow(start_at, is_check=is_check)
        finally:
            await asyncio.shield(self._stage.stop())

    async def _begin(self) -> float:
        """History, then live traffic exactly where it ends; returns when (epoch seconds)."""
        bulk_end = math.floor(time.time() / STEP_S - TAIL_STEPS) * STEP_S
        bulk_start = bulk_end - DAYS * 86400
        bulk = await self._load_history(bulk_start, bulk_end - RECENT_S)
        recent = self._history.bodies(bulk_end - RECENT_S, bulk_end, step_s=LIVE_STEP_S)
        as_live = await upload(self._stage.gauge.client, recent)
        self._terminal.step("starting the router, its vendors and its customers")
        await self._stage.start_router()
        start_at = float(math.ceil(time.time() + START_AHEAD_S))
        self._stage.start_load(start_at, self._plot.arguments())
        tail = self._history.bodies(bulk_end, start_at, step_s=LIVE_STEP_S)
        rest = await upload(self._stage.gauge.client, tail)
        await self._until_counted(bulk_start, start_at, bulk.ends + as_live.ends + rest.ends)
        return start_at

    async def _load_history(self, start_at: float, end_at: float) -> Uploaded:
        minutes = (end_at - start_at) / STEP_S
        bodies = self._history.bodies(start_at, end_at, BODY_MINUTES)
        with self._terminal.progress("loading a week of history", minutes) as bar:
            uploaded = await upload(
                self._stage.gauge.client,
                bodies,
                lambda so_far: bar.update(min(so_far.body_count * BODY_MINUTES, minutes)),
            )
        self._terminal.step(
            f"{uploaded.line_count:,} lines taken ({uploaded.ends:,} deliveries); "
            "waiting until they can be queried"
        )
        await self._until_counted(start_at, end_at, uploaded.ends)
        return uploaded

    async def _until_counted(self, start_at: float, end_at: float, ends: int) -> None:
        async def find_difference() -> str | None:
            counted = (await self._stage.gauge.overview(start_at, end_at))["messages"]
            return None if counted == ends else f"it counts {counted} of {ends} deliveries"

        await self._stage.until(find_difference, QUERYABLE_S, "the history is not complete")

    async def _follow(self, start_at: float, *, is_check: bool) -> bool:
        self._terminal.box(self._stage.gauge.url, self._hints())
        is_calm = False
        with self._terminal:
            while not (is_check and self._is_over(start_at)):
                if self._is_over(start_at) and not is_calm:
                    is_calm = True
                    self._terminal.say(f"All is calm again. {self._closing_hint()}")
                self._stage.children.must_live()
                await self._watch.look(self._note(time.time() - start_at))
                await asyncio.sleep(LOOK_EVERY_S)
            return self._judge(start_at)

    def _hints(self) -> list[str]:
        silent = self._plot.silent_tenant
        return [
            "open it in a browser; within two minutes",
            f"  · customer {silent} falls silent",
            f"  · {self._plot.failing_integration} fails for a few customers",
            "and nobody has written a rule for either. Ctrl-C ends everything.",
            f"one customer: {self._stage.gauge.url}/customers/{silent}",
        ]

    def _closing_hint(self) -> str:
        return (
            f"Look at what is kept: {self._stage.gauge.url}/customers/{self._plot.silent_tenant} "
            "and the incidents' pages above. Ctrl-C ends everything."
        )

    def _is_over(self, start_at: float) -> bool:
        """Whether nothing more is awaited: all closed and told, or too late for it."""
        last_s = self._plot.ends_after_s
        now = time.time()
        if now > start_at + last_s + self._plot.closed_within_s + PAGES_S:
            return True
        closes = [page for page in self._inbox.pages if page.action == "close"]
        has_told = len(closes) >= len(self._watch.incidents)
        return now > start_at + last_s and self._watch.has_closed_all(2) and has_told

    def _note(self, at_s: float) -> str:
        """What is going on behind the scenes."""
        plot = self._plot
        parts = [f"{max(at_s, 0):.0f} s of live traffic"]
        for name, from_s, lasts_s in (
            (f"{plot.silent_tenant} is silent", plot.silence_after_s, plot.silence_s),
            (f"{plot.failing_integration} fails for three", plot.outage_after_s, plot.outage_s),
        ):
            if from_s <= at_s < from_s + lasts_s:
                parts.append(f"{name} since {at_s - from_s:.0f} s")
        return " · ".join(parts)

    def _judge(self, start_at: float) -> bool:
        assertions = list(
            judge(self._watch.incidents, self._watch.named, self._inbox.pages, self._plot, start_at)
        )
        for one in assertions:
            self._terminal.assertion(one.sentence, one.found, holds=one.holds)
        return all(one.holds for one in assertions)
