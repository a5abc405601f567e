"""How much the platform could handle: a first estimate from what it did when it had to."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from streamgauge.model.views import Filters
from streamgauge.store.engine import Engine
from streamgauge.store.queries.ends import is_at_end
from streamgauge.store.queries.rows import QUEUE_LABELS, conditions_of, parameters_of
from streamgauge.store.queries.span import Span

LOOK_BACK_MINUTES = 7 * 24 * 60


def most_per_second(engine: Engine, span: Span, filters: Filters) -> float | None:
    """The most messages a second delivered over a minute in which a queue never ran empty.

    Looked for in the week before the span's end. None: no backlog was seen that lasted a minute,
    so that the platform was never at its limit as far as we know.

    Raises:
        StoreError: the engine refused.
    """
    end = span.touched_minutes[1]
    minutes = f"minute >= {end - LOOK_BACK_MINUTES} AND minute < {end}"
    answer = engine.query(
        f"""
SELECT max(delivered) AS most FROM (
    SELECT minute, sum(count) AS delivered FROM minute
    WHERE {minutes}{conditions_of(filters)} AND outcome = 'ok' AND {is_at_end(filters)}
    AND minute IN (
        SELECT minute FROM queue_minute WHERE {minutes}{conditions_of(filters, QUEUE_LABELS)}
        GROUP BY minute, queue, pipeline, integration, tenant HAVING min(backlog_min) > 0)
    GROUP BY minute)""",
        parameters_of(filters),
    )
    most = answer.column("most")[0].as_py()
    return most / 60 if most else None
