"""How a memory budget is divided between questions, buffers and what is known of each series."""

from __future__ import annotations

from streamgauge.govern.constants import Constants
from streamgauge.model.budget import MemoryShares

MB = 1024**2
DEFAULT_RATIO = 0.5
"""Of the machine's memory, or of its control group's, where no budget is set."""
MIN_BUDGET_BYTES = 512 * MB
ENGINE_RATIO, QUERY_RATIO, HELD_RATIO, FEED_RATIO = 0.5, 0.125, 0.06, 0.05
IN_FLIGHT_RATIO = 0.05
"""A body being parsed takes several times its size for that moment."""
FEED_ROW_BYTES = 200


def shares(budget_bytes: int, constants: Constants) -> MemoryShares:
    """The budget divided; parts that need no more than so much leave the rest to series."""
    held = _between(HELD_RATIO * budget_bytes, 16 * MB, 256 * MB)
    feed_rows = _between(FEED_RATIO * budget_bytes / FEED_ROW_BYTES, 50_000, 500_000)
    engine = _between(ENGINE_RATIO * budget_bytes, 256 * MB, 16 * 1024 * MB)
    query = _between(QUERY_RATIO * budget_bytes, 128 * MB, 1024 * MB)
    in_flight = _between(IN_FLIGHT_RATIO * budget_bytes, 50 * MB, 250 * MB)
    buffers = held + in_flight + feed_rows * FEED_ROW_BYTES
    left = budget_bytes - constants.resident_base_bytes - engine - buffers
    series = max(left, 16 * MB) / constants.resident_bytes_per_series
    return MemoryShares(
        budget_bytes=budget_bytes,
        query_bytes=query,
        held_bytes=held,
        segment_bytes=_between(held / 4, 4 * MB, 64 * MB),
        in_flight_bytes=in_flight,
        engine_bytes=engine,
        feed_rows=feed_rows,
        series=int(series),
    )


def _between(value: float, least: int, most: int) -> int:
    return int(min(max(value, least), most))
