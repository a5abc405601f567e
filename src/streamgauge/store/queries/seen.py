"""Whether anyone who reports to us was heard in a time: what tells zero from unknown.

Kept by the minute: a range or step is seen if a minute that it touches is. What our own collectors
look up tells nothing of messages; only where nobody has ever reported anything else, as with queues
alone, its minutes stand in.
"""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.store.engine.engine import Engine
from streamgauge.store.queries.span import Span

_WITHIN = "minute >= {first:Int64} AND minute < {end:Int64}"
_IS_HEARD = "heard_ns >= 0"
_COUNTS = (
    f"({_IS_HEARD} OR (SELECT count() FROM "
    f"(SELECT 1 FROM seen_minute WHERE {_IS_HEARD} LIMIT 1)) = 0)"
)


def heard_minutes(engine: Engine, first: int, end: int) -> NDArray[np.int64]:
    """Minutes since the epoch, ascending, `first` <= minute < `end`, with a report of anyone."""
    return _minutes(engine, first, end, _IS_HEARD)


def seen_minutes(engine: Engine, first: int, end: int) -> NDArray[np.int64]:
    """The same; those of collectors where nobody has ever reported anything."""
    return _minutes(engine, first, end, _COUNTS)


def is_seen(engine: Engine, span: Span) -> bool:
    """Whether a minute of the span is seen, by a line of any measurement."""
    first, end = span.touched_minutes
    answer = engine.query(
        "SELECT count() AS n FROM "
        f"(SELECT 1 FROM seen_minute WHERE {_WITHIN} AND {_COUNTS} LIMIT 1)",
        {"first": first, "end": end},
    )
    return bool(answer.column("n")[0].as_py())


def _minutes(engine: Engine, first: int, end: int, which: str) -> NDArray[np.int64]:
    answer = engine.query(
        f"SELECT DISTINCT minute FROM seen_minute WHERE {_WITHIN} AND {which} ORDER BY minute",
        {"first": first, "end": end},
    )
    return np.asarray(answer.column("minute").to_numpy(), dtype=np.int64)
