"""Which rows end a message: the one definition behind every count (DESIGN section 4).

1. Every row at `delivered`, but for `retried`, which is an attempt.
2. `error`, `dropped`, `expired` and `filtered` at any stage.
3. A tenant x source x integration that never reported `delivered` is measured at its last stage,
   in the order received, queued, processed, others, delivered.
4. Rows without an integration stand for all of their tenant and source, so that their last stage
   stands in only where no integration of that tenant and source was ever reported.
"""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from streamgauge.model.views import Filters
from streamgauge.model.words import STAGES
from streamgauge.store.engine.engine import Engine
from streamgauge.store.kept import Known
from streamgauge.store.queries.rows import EARLY_ENDS_SQL, conditions_of

_NAMES = ", ".join(f"'{stage}'" for stage in STAGES)
_RANKS = "[0, 1, 2, 4]"
"""Of STAGES; other stages are 3, between `processed` and `delivered`."""


def standing_in(filters: Filters) -> str:
    """A subquery of (tenant, source, integration, stage): where a last stage stands in."""
    return f"""(
SELECT tenant, source, integration, last_stage FROM (
    SELECT tenant, source, integration,
        max(stage = 'delivered') AS has_delivered,
        argMax(stage, (transform(toString(stage), [{_NAMES}], {_RANKS}, 3), stage)) AS last_stage,
        max(integration != '') OVER (PARTITION BY tenant, source) AS has_integrations
    FROM last_seen WHERE 1{conditions_of(filters, ("tenant", "source"))}
    GROUP BY tenant, source, integration)
WHERE NOT has_delivered AND (integration != '' OR NOT has_integrations))"""


def may_stand_in(engine: Engine) -> bool:
    """Whether there is a flow whose last stage stands in.

    Raises:
        StoreError: the engine refused.
    """
    found = engine.query(
        f"SELECT count() AS n FROM (SELECT 1 FROM {standing_in(Filters())} LIMIT 1)"
    )
    return bool(found.column("n")[0].as_py())


def is_at_end(filters: Filters, known: Known) -> str:
    """A condition: the row's stage is where its flow's messages end."""
    if not known.may_stand_in:
        return "stage = 'delivered'"
    return (
        f"(stage = 'delivered' OR (tenant, source, integration, stage) IN {standing_in(filters)})"
    )


def is_end(filters: Filters, known: Known) -> str:
    """A condition: the row ends messages."""
    at_end = is_at_end(filters, known)
    return f"(outcome IN ({EARLY_ENDS_SQL}) OR (outcome != 'retried' AND {at_end}))"
