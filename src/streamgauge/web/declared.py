"""What was said of flows beside what was seen of them: asked together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.views import Filters, FlowRow
from streamgauge.web.answers import Sources, ask_flows, in_thread
from streamgauge.web.ranges import HOUR_S, Range

SCOPE_LABELS = ("tenant", "source", "integration", "pipeline")
MAX_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Declared:
    """One word, and what it is about."""

    said: ExpectedFlow
    last_seen_at: float | None
    """Newest message of its scope, epoch seconds; None: never."""


async def ask_declared(sources: Sources, filters: Filters) -> list[Declared]:
    """All that was said within some filters, with the newest message of each scope."""
    said = await in_thread(partial(sources.expected.list_flows, filters.tenant))
    mine = [one for one in said if _is_asked(one, filters)]
    if not mine:
        return []
    now_s = sources.clock.now()
    asked = Range(now_s - HOUR_S, now_s)
    rows = await ask_flows(sources, asked, SCOPE_LABELS, "name", MAX_ROWS, filters)
    theirs = by_tenant(rows)
    return [Declared(one, _last_seen(one, theirs)) for one in mine]


def by_tenant(rows: Sequence[FlowRow]) -> dict[str, list[FlowRow]]:
    """Rows by customer."""
    found: dict[str, list[FlowRow]] = {}
    for row in rows:
        found.setdefault(row.labels["tenant"], []).append(row)
    return found


def _last_seen(one: ExpectedFlow, rows: dict[str, list[FlowRow]]) -> float | None:
    wanted = {name: part for name, part in one.scope._asdict().items() if part is not None}
    seen = (
        row.last_seen_at
        for row in rows.get(one.scope.tenant or "", ())
        if row.last_seen_at is not None
        and all(row.labels[name] == part for name, part in wanted.items())
    )
    return max(seen, default=None)


def _is_asked(one: ExpectedFlow, filters: Filters) -> bool:
    asked = (filters.tenant, filters.source, filters.integration, filters.pipeline)
    pairs = zip(one.scope, asked, strict=True)
    return all(wanted is None or part is None or part == wanted for part, wanted in pairs)
