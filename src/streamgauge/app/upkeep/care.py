"""What is done beside receiving and deciding, each in a loop of its own while we serve."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from streamgauge.app.budget.lean import give_back_often
from streamgauge.app.upkeep.kept_refusals import KeptRefusals
from streamgauge.app.upkeep.known_series import KnownSeries
from streamgauge.model.errors import StoreError
from streamgauge.state.sharing import Shared
from streamgauge.store import Store

log = structlog.get_logger()

FORGET_EVERY_S = 3600.0
KEEP_SERIES_EVERY_S = 300.0
KEEP_REFUSALS_EVERY_S = 30.0
TELL_EVERY_S = 5.0
TEND_EVERY_S = 5.0
REPORT_EVERY_S = 5.0


def cares(
    store: Store, known: KnownSeries, refusals: KeptRefusals, shared: Shared | None = None
) -> list[Coroutine[Any, Any, None]]:
    """The loops of every process, to be run as tasks and cancelled at the end."""
    return [
        *([_report(store, shared)] if shared else []),
        _keep(known.save, KEEP_SERIES_EVERY_S),
        _keep(refusals.save, KEEP_REFUSALS_EVERY_S),
        _tell(ProblemLog(store.problems)),
        give_back_often(),
        _tend(store),
    ]


def deciding_cares(shared: Shared | None) -> list[Coroutine[Any, Any, None]]:
    """The loops of the one process that decides."""
    return [*([_forget(shared)] if shared else [])]


async def _report(store: Store, shared: Shared) -> None:
    """Say what waits in our journal: detection must not take it for silence."""
    while True:
        with contextlib.suppress(StoreError):
            lines, since = store.lag().lines, store.waiting_since()
            await asyncio.to_thread(shared.report, since, lines)
        await asyncio.sleep(REPORT_EVERY_S)


async def _forget(shared: Shared) -> None:
    """Let go of bodies whose retry need not be known any more, and of leases long over."""
    while True:
        with contextlib.suppress(StoreError):  # the next time is early enough
            await asyncio.to_thread(shared.forget_bodies)
            await asyncio.to_thread(shared.leases.forget)
        await asyncio.sleep(FORGET_EVERY_S)


async def _keep(save: Callable[[], None], every_s: float) -> None:
    """Write down, every so often, what a later process must know."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(save)


async def _tend(store: Store) -> None:
    """Look for damaged data files, and put back what was set aside when somebody wants it."""
    while True:
        with contextlib.suppress(StoreError):  # `/ready` says it; the next look may go better
            await asyncio.to_thread(store.tend)
        await asyncio.sleep(TEND_EVERY_S)


async def _tell(problems: ProblemLog) -> None:
    while True:
        problems.look()
        await asyncio.sleep(TELL_EVERY_S)


class ProblemLog:
    """Logs what `/ready` says when it changes, for who reads logs and not probes."""

    def __init__(self, problems: Callable[[], list[str]]) -> None:
        self._problems = problems
        self._told: list[str] = []

    def look(self) -> None:
        """One look; a problem is told when it begins, and that all is well when the last ends."""
        found = self._problems()
        for problem in found:
            if problem not in self._told:
                log.warning("not ready", reason=problem)
        if self._told and not found:
            log.info("ready again")
        self._told = found
