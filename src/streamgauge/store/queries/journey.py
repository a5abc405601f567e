"""What one message went through."""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streamgauge.model.journeys import Hop, Journey
from streamgauge.model.words import EARLY_ENDS, FAILED, STAGES
from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import NS_A_HOUR, NS_A_SECOND
from streamgauge.store.places import PLACE_SQL, PLACES

MAX_HOPS = 1000
"""Of one journey; the oldest."""
HOUR_S = NS_A_HOUR // NS_A_SECOND
UNSEEN_S = HOUR_S
"""So long before its first known hop a message may have begun whose beginning is not told (it was
not `received`, and no latency says when that was), and so long it may have gone on after the last
one, if that was no end."""
_RANKS = {stage: rank for rank, stage in enumerate(STAGES[:-1])} | {STAGES[-1]: len(STAGES)}
_OTHER_RANK = len(STAGES) - 1
"""Between `processed` and `delivered`."""
_NAMES = "tenant, source, integration, pipeline, stage, outcome, reason, router, version"
_COLUMNS = f"time_ns, seq, hour, {_NAMES}, latency_ns, queue_ns, bytes, error"


def journey(engine: Engine, message_id: str, tenant: str | None) -> Journey | None:
    """All hops of a message that are kept, by time, then by stage; None: there are none.

    Raises:
        StoreError: the engine refused.
    """
    asked = {"id": message_id} | ({} if tenant is None else {"tenant": tenant})
    where = "WHERE id = {id:String}" + ("" if tenant is None else " AND tenant = {tenant:String}")
    rows = engine.query(
        f"SELECT * FROM (SELECT {_COLUMNS}, 0 AS is_trouble FROM hops {where} "
        f"UNION ALL SELECT {_COLUMNS}, is_trouble FROM hops_kept {where}) "
        f"ORDER BY time_ns, seq, is_trouble DESC LIMIT 1 BY time_ns, seq LIMIT {MAX_HOPS}",
        asked,
    ).to_pylist()
    if not rows:
        return None
    rows.sort(key=lambda row: (row["time_ns"], _RANKS.get(row["stage"], _OTHER_RANK)))
    hops = tuple(_hop_of(row) for row in rows)
    return Journey(message_id, hops, _is_complete(engine, message_id, hops, rows))


def _hop_of(row: dict[str, Any]) -> Hop:
    return Hop(
        at=row["time_ns"] / NS_A_SECOND,
        latency_s=_seconds(row["latency_ns"]),
        queue_s=_seconds(row["queue_ns"]),
        bytes=row["bytes"],
        error=row["error"],
        **{name: row[name] for name in _NAMES.split(", ")},
    )


def _seconds(nanoseconds: int | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / NS_A_SECOND


@dataclass(frozen=True, slots=True)
class _Thinned:
    """What was decided about an hour: the least share, and when that was first."""

    share: float
    at_s: float


def _is_complete(
    engine: Engine, message_id: str, hops: Sequence[Hop], rows: Sequence[dict[str, Any]]
) -> bool:
    """Whether no hour between the message's beginning and its end lost hops of it.

    An hour whose share left this message out kept its hops all the same if, when it was thinned,
    the message's trouble was known.
    """
    place, thinned = _thinned(engine, message_id, *_bounds_s(hops))
    left_out = [hour for hour, one in thinned.items() if place >= one.share]
    if not left_out:
        return True
    failed = [hop.at for hop in hops if hop.outcome in FAILED]
    is_kept = bool(failed) or any(row["is_trouble"] for row in rows)
    known_from = min(failed) if failed else max(hop.at for hop in hops)
    return is_kept and all(known_from <= thinned[hour].at_s for hour in left_out)


def _bounds_s(hops: Sequence[Hop]) -> tuple[float, float]:
    """When the message may have begun and ended, epoch seconds."""
    first, last = hops[0], hops[-1]
    begin_s = min(hop.at - (hop.latency_s or 0.0) for hop in hops)
    is_begin = first.stage == STAGES[0] or first.latency_s is not None
    is_end = last.stage == STAGES[-1] or last.outcome in EARLY_ENDS
    return begin_s - (0 if is_begin else UNSEEN_S), last.at + (0 if is_end else UNSEEN_S)


def _thinned(
    engine: Engine, message_id: str, begin_s: float, end_s: float
) -> tuple[float, Mapping[int, _Thinned]]:
    """Where the message stands among all, 0 to 1, and the thinned hours of a range."""
    place_sql = PLACE_SQL.format("{id:String}")
    rows = engine.query(
        f"SELECT hour, min(share) AS share, min(thinned_at_ns) AS at_ns, {place_sql} AS place "
        "FROM hops_thinned WHERE hour >= {first:Int64} AND hour <= {last:Int64} GROUP BY hour",
        {"id": message_id, "first": int(begin_s // HOUR_S), "last": int(end_s // HOUR_S)},
    ).to_pylist()
    place = rows[0]["place"] / PLACES if rows else 0.0
    return place, {row["hour"]: _Thinned(row["share"], row["at_ns"] / NS_A_SECOND) for row in rows}
