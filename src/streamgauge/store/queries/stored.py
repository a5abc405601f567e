"""How much is stored of some days, however old: sums by the day are kept longest."""

from __future__ import annotations

from streamgauge.model.stored import StoredCount
from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import NS_A_SECOND
from streamgauge.store.queries.span import Span

_NS_A_DAY = 86_400 * NS_A_SECOND
_SQL = """
SELECT '' AS db, 'messages' AS measurement, sum(count) AS stored FROM day
WHERE day >= {first:Int64} AND day < {end:Int64} HAVING stored > 0
UNION ALL
SELECT db, measurement, sum(count) AS stored FROM point_day
WHERE day >= {first:Int64} AND day < {end:Int64} GROUP BY db, measurement
"""


def stored(engine: Engine, from_s: float, to_s: float) -> list[StoredCount]:
    """Counts of all days that the range touches; settle the store before.

    Raises:
        StoreError: the engine refused.
    """
    span = Span.of(from_s, to_s)
    days = {"first": span.from_ns // _NS_A_DAY, "end": -(-span.to_ns // _NS_A_DAY)}
    rows = engine.query(_SQL, days).to_pylist()
    return [StoredCount(row["db"], row["measurement"], int(row["stored"])) for row in rows]
