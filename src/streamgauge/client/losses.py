"""What the client could not count or send: summed for its own report, and said once in the log."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from enum import StrEnum

log = logging.getLogger("streamgauge.client")


class Loss(StrEnum):
    """Each is a field of the measurement `streamgauge_client`."""

    BAD_CALLS = "bad_calls"
    """Calls with an argument that cannot be used."""
    DROPPED_MESSAGES = "dropped_messages"
    """Messages that were not counted: too many series, or calls faster than they are summed."""
    DROPPED_HOPS = "dropped_hops"
    """Messages that were counted, but not told one by one: too many in one interval."""
    DROPPED_VALUES = "dropped_values"
    """Depths of queues and other values: too many in one interval."""
    LOST_MESSAGES = "lost_messages"
    """Messages in batches that were given up: no more room for them."""
    REFUSED_MESSAGES = "refused_messages"
    """Messages in batches of which the server refused a part or all; some of them may count."""


class Losses:
    """Sums since the last `take`. Threads may share it."""

    def __init__(self) -> None:
        self.forget_all()

    def add(self, loss: Loss, count: int, text: str) -> None:
        """Count a loss; the first of its kind is logged with what can be done about it."""
        with self._lock:
            self._sums[loss] += count
        self.say(loss, f"{text} (counted as {loss.value} from now on)")

    def say(self, matter: str, text: str) -> None:
        """Log a text, unless one about the same matter was logged since `forget`."""
        with self._lock:
            is_new = matter not in self._said
            self._said.add(matter)
        if is_new:
            log.warning("%s", text)

    def forget(self, matter: str, text: str) -> None:
        """Log the end of a matter, if it was ever said."""
        with self._lock:
            was_said = matter in self._said
            self._said.discard(matter)
        if was_said:
            log.warning("%s", text)

    def forget_all(self) -> None:
        """Begin anew, in a process that was forked."""
        self._lock = threading.RLock()
        self._sums: Counter[Loss] = Counter()
        self._said: set[str] = set()

    def take(self) -> dict[Loss, int]:
        """Every kind with its sum; counting starts anew."""
        with self._lock:
            taken, self._sums = self._sums, Counter()
        return {loss: taken[loss] for loss in Loss}
