"""What the store tells detection: what came since it asked last, or all that was before.

Where the engine is ours alone, each segment's sums are handed over in memory; where it is shared,
they come from its table of changes (`store.writer.changes`).
"""

from __future__ import annotations

import math

from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta, History
from streamgauge.store import queries
from streamgauge.store.parts import Parts
from streamgauge.store.writer.changes import ChangeFeed
from streamgauge.store.writer.feed import merge
from streamgauge.store.writer.writer import Writer

AHEAD_S = 3600.0
"""How far ahead of our clock a line may be stamped (DESIGN section 4)."""
HISTORY_PATIENCE_S = 60.0
"""How long `history` waits for the segment in hand."""
HISTORY_LOOK_S = 0.25
"""While it waits, how often it looks whether waiting has become useless."""


class Telling:
    """For one detection; works while the store is open."""

    def __init__(self, parts: Parts) -> None:
        """Nothing is asked yet."""
        self._parts = parts
        self._changes = ChangeFeed(parts.settings.feed_max_segments)

    def take(self) -> Delta | None:
        """What was inserted since the last call; None: it overflowed, ask `history`."""
        if self._parts.sharing is None:
            return self._parts.feed.take()
        came, ahead = self._changes.take(self._parts.asked()), self._parts.feed.take()
        return merge([ahead, came]) if came is not None and ahead is not None else None

    def history(self, until_s: float) -> History:
        """What the rollups hold before `until_s`; the feed starts again from there.

        Lines stamped after `until_s` that are stored already (clocks run ahead by up to an hour)
        come by the next `take`.

        Raises:
            StoreError: the engine refused, or inserting stands still.
        """
        writer = self._parts.opened_writer()
        self._hold_inserting(writer)
        try:
            if self._parts.sharing:
                self._changes.restart(self._parts.asked())
            past = queries.history(self._parts.asked(), self._parts.known(), until_s)
            ahead = queries.minutes_between(
                self._parts.asked(),
                math.ceil(until_s / 60),
                math.ceil((self._parts.clock.now() + AHEAD_S) / 60) + 1,
            )
            self._parts.feed.clear()
            self._parts.feed.add(ahead)
        finally:
            writer.inserting.release()
        return past

    def past(self, until_s: float) -> History:
        """The same as stored at this moment, for a look back: the feed goes on as it was.

        Raises:
            StoreError: the engine refused.
        """
        return queries.history(self._parts.asked(), self._parts.known(), until_s)

    def minutes(self, first: int, end: int) -> Delta:
        """What the rollups hold of these minutes, oldest first, without routers and latency.

        Raises:
            StoreError: the engine refused.
        """
        return queries.minutes_between(self._parts.asked(), first, end)

    def _hold_inserting(self, writer: Writer) -> None:
        """Wait for the segment in hand, but not for one that cannot go in."""
        for _ in range(math.ceil(HISTORY_PATIENCE_S / HISTORY_LOOK_S)):
            self._parts.asked()
            if writer.inserting.acquire(timeout=HISTORY_LOOK_S):
                return
            if self._parts.insert_problem():
                break
        why = self._parts.insert_problem() or "inserting takes too long"
        raise StoreError(f"the history cannot be read: {why}", permanent=False)
