"""Which stretch of time a page's figures are about."""

from __future__ import annotations

from streamgauge.model.views import Filters, Overview
from streamgauge.web.answers import Sources, ask_overview
from streamgauge.web.ranges import HOUR_S, Range

WINDOW_S = 300.0
"""Short enough that fresh trouble shows, long enough that the figures stand still."""
FLOWING_S = 900.0
"""Whose last message is no older is said to be flowing; the others are quiet, which is no fault."""
EDGE_S = 1.0
"""The range ends after now, so that a message stamped this second is in it."""


def window_to(now_s: float) -> Range:
    """The last five minutes, and not a second more: a report a minute then comes five times."""
    return Range(now_s + EDGE_S - WINDOW_S, now_s + EDGE_S)


def hour_to(now_s: float) -> Range:
    """The last hour."""
    return Range(now_s + EDGE_S - HOUR_S, now_s + EDGE_S)


async def ask_figures(sources: Sources, now_s: float, filters: Filters) -> tuple[Overview, str]:
    """The key metrics to show, and of when they are.

    Senders may report as seldom as once an hour: where five minutes are empty, the hour speaks.
    """
    recent = await ask_overview(sources, window_to(now_s), filters)
    if recent.messages:
        return recent, "last 5 minutes"
    return await ask_overview(sources, hour_to(now_s), filters), "last hour"


def is_flowing(last_seen_at: float | None, now_s: float) -> bool:
    """Whether the newest message is fresh."""
    return last_seen_at is not None and now_s - last_seen_at <= FLOWING_S
