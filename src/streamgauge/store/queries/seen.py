"""Whether anyone's line is stamped in a time: what tells zero from unknown.

Kept by the minute: a range or step is seen if a minute that it touches is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.store.engine.engine import Engine
from streamgauge.store.queries.span import Span


def seen_minutes(engine: Engine, first: int, end: int) -> NDArray[np.int64]:
    """Minutes since the epoch, ascending, `first` <= minute < `end`."""
    answer = engine.query(
        "SELECT DISTINCT minute FROM seen_minute "
        "WHERE minute >= {first:Int64} AND minute < {end:Int64} ORDER BY minute",
        {"first": first, "end": end},
    )
    return np.asarray(answer.column("minute").to_numpy(), dtype=np.int64)


def is_seen(engine: Engine, span: Span) -> bool:
    """Whether a line of anyone, of any measurement, is stamped in a minute of the span."""
    first, end = span.touched_minutes
    answer = engine.query(
        "SELECT count() AS n FROM (SELECT 1 FROM seen_minute "
        "WHERE minute >= {first:Int64} AND minute < {end:Int64} LIMIT 1)",
        {"first": first, "end": end},
    )
    return bool(answer.column("n")[0].as_py())
