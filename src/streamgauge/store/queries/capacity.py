"""How much the platform could handle: a first estimate from what it did when it had to."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from streamgauge.model.views import Filters
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.levels import PLATFORM
from streamgauge.store.queries.ended import is_about_all
from streamgauge.store.queries.ends import is_at_end
from streamgauge.store.queries.rows import QUEUE_LABELS, conditions_of, parameters_of
from streamgauge.store.queries.span import Span

LOOK_BACK_MINUTES = 7 * 24 * 60
MAX_REMEMBERED = 1000
"""Filters; beyond it everything is looked through again."""


class CapacityMemory:
    """Whole hours that were looked through, so that a week is not read for every page.

    An hour is known by the number of lines stamped in it, which is told after all that they add
    (`seen_minute` is inserted last): the same number is the same hour. Which stages end messages
    depends on the flows that there are: with a new one, everything is forgotten.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._flow_count = -1
        self._hours: dict[Filters, dict[int, tuple[int, int]]] = {}

    def known(self, filters: Filters, flow_count: int, lines: Mapping[int, int]) -> dict[int, int]:
        """The most delivered in a minute of each hour that still holds so many lines."""
        with self._guard:
            if flow_count != self._flow_count or len(self._hours) > MAX_REMEMBERED:
                self._flow_count, self._hours = flow_count, {}
            hours = self._hours.get(filters, {})
            kept = {hour: told for hour, told in hours.items() if lines.get(hour) == told[0]}
            self._hours[filters] = kept
            return {hour: most for hour, (_, most) in kept.items()}

    def keep(
        self,
        filters: Filters,
        flow_count: int,
        lines: Mapping[int, int],
        found: Mapping[int, int],
    ) -> None:
        """Remember the most of whole hours."""
        with self._guard:
            if flow_count == self._flow_count:
                hours = self._hours.setdefault(filters, {})
                hours.update({hour: (lines[hour], most) for hour, most in found.items()})


def most_per_second(
    engine: Engine, known: Known, span: Span, filters: Filters, memory: CapacityMemory
) -> float | None:
    """The most messages a second delivered over a minute in which a queue never ran empty.

    Looked for in the week before the span's end, from a whole hour on. None: no backlog was seen
    that lasted a minute, so that the platform was never at its limit as far as we know.

    Raises:
        StoreError: the engine refused.
    """
    end = span.touched_minutes[1]
    first = (end - LOOK_BACK_MINUTES) // 60 * 60
    flow_count, lines = _flow_count(engine), _lines_by_hour(engine, first, end)
    told = memory.known(filters, flow_count, lines)
    whole = range(first // 60, end // 60)
    told = {hour: most for hour, most in told.items() if hour in whole}
    missing = sorted(lines.keys() - told.keys())
    found = dict.fromkeys(missing, 0) | _most_by_hour(engine, known, first, end, missing, filters)
    memory.keep(filters, flow_count, lines, {h: most for h, most in found.items() if h in whole})
    most = max([*told.values(), *found.values()], default=0)
    return most / 60 if most else None


def _flow_count(engine: Engine) -> int:
    answer = engine.query(
        "SELECT uniqExact(tenant, source, integration, stage) AS n FROM last_seen"
    )
    return int(answer.column("n")[0].as_py())


def _lines_by_hour(engine: Engine, first: int, end: int) -> dict[int, int]:
    answer = engine.query(
        "SELECT intDiv(minute, 60) AS hour, sum(lines) AS lines FROM seen_minute "
        "WHERE minute >= {first:Int64} AND minute < {end:Int64} GROUP BY hour",
        {"first": first, "end": end},
    )
    return dict(zip(*(answer.column(name).to_pylist() for name in ("hour", "lines")), strict=True))


def _most_by_hour(
    engine: Engine, known: Known, first: int, end: int, hours: list[int], filters: Filters
) -> dict[int, int]:
    if not hours:
        return {}
    minutes = f"minute >= {first} AND minute < {end} AND intDiv(minute, 60) IN ({_listed(hours)})"
    parameters = parameters_of(filters)
    busy = engine.query(
        f"SELECT DISTINCT minute FROM (SELECT minute FROM queue_minute WHERE {minutes}"
        f"{conditions_of(filters, QUEUE_LABELS)} "
        "GROUP BY minute, queue, pipeline, integration, tenant HAVING min(backlog_min) > 0)",
        parameters,
    )
    busy_minutes = busy.column("minute").to_pylist()
    if not busy_minutes:
        return {}
    answer = engine.query(
        f"""
SELECT intDiv(minute, 60) AS hour, max(delivered) AS most FROM (
    SELECT minute, sum(count) AS delivered FROM {_delivered(known, filters)}
    AND intDiv(minute, 60) IN ({_listed({minute // 60 for minute in busy_minutes})})
    AND minute IN ({_listed(busy_minutes)}) AND outcome = 'ok' GROUP BY minute)
GROUP BY hour""",
        parameters,
    )
    return dict(zip(*(answer.column(name).to_pylist() for name in ("hour", "most")), strict=True))


def _delivered(known: Known, filters: Filters) -> str:
    """Where minutes of what reached its end are summed soonest, with a condition."""
    if is_about_all(filters) and not known.may_stand_in:
        return f"{PLATFORM} WHERE stage = 'delivered'"
    return f"minute WHERE {is_at_end(filters, known)}{conditions_of(filters)}"


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))
