"""The lines that were not kept, as they came."""

from __future__ import annotations

from streamgauge.model.refusal import RefusedLine
from streamgauge.store.engine.engine import Engine


def refused_lines(
    engine: Engine, tenant: str | None, since_s: float, limit: int
) -> list[RefusedLine]:
    """The newest first; of each body the first hundred were kept.

    Args:
        engine: the store's.
        tenant: whose; None: anybody's.
        since_s: epoch seconds.
        limit: how many at most.

    Raises:
        StoreError: the engine refused.
    """
    rows = engine.query(
        "SELECT time_ns, tenant, line_number, line, reason FROM rejected "
        "WHERE time_ns >= {since:Int64} AND ({is_anyone:UInt8} OR tenant = {tenant:String}) "
        "ORDER BY time_ns DESC, batch DESC, line_number LIMIT {limit:UInt32}",
        {
            "since": int(since_s * 1e9),
            "limit": limit,
            "is_anyone": int(tenant is None),
            "tenant": tenant or "",
        },
    )
    return [
        RefusedLine(
            row["time_ns"] / 1e9, row["tenant"], row["line_number"], row["line"], row["reason"]
        )
        for row in rows.to_pylist()
    ]
