"""The blocking ports, asked from the event loop: every call runs in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from streamgauge.model.clock import Clock
from streamgauge.model.incident import Incident
from streamgauge.model.views import Filters, FlowRow, Overview
from streamgauge.model.words import IncidentState
from streamgauge.web.expected import NothingSaid
from streamgauge.web.health import open_at
from streamgauge.web.ports import Expected, Incidents, Metrics, Operations
from streamgauge.web.ranges import Range

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sources:
    """What every answer is made from."""

    metrics: Metrics
    incidents: Incidents
    operations: Operations
    clock: Clock
    expected: Expected = field(default_factory=NothingSaid)
    hops_whole_s: float = 2 * 3600
    """How long all hops are kept after their hour, seconds."""


NOW_S = 60.0
"""A range that ends this close to now is about the present, seconds."""


ASKED_AT_ONCE = 32
"""Questions to the engine; more wait for their turn."""
_ASKING: RunVar[CapacityLimiter] = RunVar("asking")
"""One for each event loop."""


async def in_thread(ask: Callable[[], T]) -> T:
    """What `ask` returns, without holding up the event loop; `asyncio.gather` asks several."""
    return await to_thread.run_sync(ask)


async def ask_engine(ask: Callable[[], T]) -> T:
    """As `in_thread`, for what only the engine knows.

    While it stands still its questions wait, until it is killed: so many at a time, and threads are
    left for those who ask for incidents, or whether we are ready.
    """
    try:
        limiter = _ASKING.get()
    except LookupError:
        limiter = CapacityLimiter(ASKED_AT_ONCE)
        _ASKING.set(limiter)
    return await to_thread.run_sync(ask, limiter=limiter)


async def ask_open(sources: Sources, at: float, tenant: str | None = None) -> list[Incident]:
    """The incidents that were open at an instant (epoch seconds), newest first."""
    states = [IncidentState.OPEN, IncidentState.ACKNOWLEDGED]
    if at < sources.clock.now() - NOW_S:
        states.append(IncidentState.CLOSED)
    lists = await asyncio.gather(
        *(in_thread(partial(sources.incidents.list_incidents, state, tenant)) for state in states)
    )
    found = open_at(chain.from_iterable(lists), at)
    return sorted(found, key=lambda incident: incident.opened_at, reverse=True)


async def ask_overview(sources: Sources, asked: Range, filters: Filters) -> Overview:
    """The key metrics of a range."""
    ask = partial(sources.metrics.overview, asked.from_s, asked.to_s, filters)
    return await ask_engine(ask)


async def ask_flows(
    sources: Sources, asked: Range, by: Sequence[str], sort: str, limit: int, filters: Filters
) -> list[FlowRow]:
    """Flows, or customers, sources or integrations."""
    ask = partial(sources.metrics.flows, asked.from_s, asked.to_s, by, sort, limit, filters)
    return await ask_engine(ask)
