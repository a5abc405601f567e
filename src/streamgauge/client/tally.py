"""The sums of one interval, and the way in which calls reach them.

A call only appends to a deque, which is atomic: it takes no lock, so it waits for nobody, and may
come from any thread, a signal's handler or a finaliser. A thread in the background sums up what is
in it. Where calls come faster, each that finds too much waiting sums up a little of it itself.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from math import ceil, log2
from operator import index

from streamgauge.client.losses import Loss, Losses

Part = str | int | None
"""A label: text, or a number that is written as text; None is left out."""
Key = tuple[Part, Part, Part, Part, Part, Part, Part]
"""tenant, source, integration, pipeline, stage, outcome, reason"""
Event = tuple[Key, float | None, float | None, int, int]
"""A series; latency and time in the queue, seconds; messages and bytes."""

BUCKETS_A_DOUBLING = 32
"""As the server keeps durations: a value is at most 1.1 % from the middle of its bucket.

Source: OpenTelemetry metrics data model, "Exponential Histogram", scale 5.
"""
ZERO_BUCKET = -32_768
"""Holds 0, and what lies below by a clock that went back."""
MAX_COUNT = 10**12
"""Messages or bytes of one call. Beyond it is a mistake."""

RELIEVED_ABOVE = 4_096
"""Calls that may wait before each further one sums up some of them."""
RELIEVED_AT_ONCE = 64
MAX_WAITING = 100_000
"""Calls that may wait at all, some 25 MB."""


class Cell:
    """The sums of one series."""

    __slots__ = ("count", "latencies", "size_bytes", "waits")

    def __init__(self) -> None:
        self.count = 0
        self.size_bytes = 0
        self.latencies: defaultdict[int, int] = defaultdict(int)
        """Messages by the bucket of their latency."""
        self.waits: defaultdict[int, int] = defaultdict(int)
        """Messages by the bucket of their time in the queue."""


class Tally:
    """Counts by series since the last `take`.

    Args:
        losses: told what could not be counted.
        max_series: of one interval; messages of further ones are dropped and counted as such.
        begin: called when the first is told in a process.
    """

    def __init__(self, losses: Losses, max_series: int, begin: Callable[[], None]) -> None:
        self._losses, self._max_series, self._begin = losses, max_series, begin
        self.events: deque[Event] = deque()
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that was forked: what is here is the parent's to tell."""
        self.events.clear()
        self._cells: dict[Key, Cell] = {}
        self._lock = threading.Lock()
        self._has_begun = False
        self.append: Callable[[Event], None] = self._append_first
        """Adds one call. Then, if more than RELIEVED_ABOVE of `events` wait, `relieve`."""

    def _append_first(self, event: Event) -> None:
        self.events.append(event)
        self.wake()

    def wake(self) -> None:
        """Begin, if this is the first that is told in this process."""
        if not self._has_begun:
            self._has_begun = True
            self.append = self.events.append
            self._begin()

    def add(self, event: Event) -> None:
        """Add one call, and relieve; where speed counts, callers do both themselves."""
        self.append(event)
        if len(self.events) > RELIEVED_ABOVE:
            self.relieve()

    def relieve(self) -> None:
        """Sum up a few of the waiting calls, if nobody does just now."""
        if self._lock.acquire(blocking=False):
            try:
                self._fold(RELIEVED_AT_ONCE)
            finally:
                self._lock.release()
        elif len(self.events) > MAX_WAITING:
            try:
                count = self.events.pop()[3]
            except IndexError:  # summed up meanwhile
                return
            text = f"{MAX_WAITING:,} messages wait to be counted; those beyond are dropped"
            self._losses.add(Loss.DROPPED_MESSAGES, _whole_or_1(count), text)

    def fold(self) -> None:
        """Sum up what waits now."""
        with self._lock:
            self._fold(len(self.events))

    def take(self) -> dict[Key, Cell]:
        """The sums so far; counting starts anew."""
        with self._lock:
            self._fold(len(self.events))
            taken, self._cells = self._cells, {}
        return taken

    def _fold(self, limit: int) -> None:
        popleft, cells = self.events.popleft, self._cells
        for _ in range(min(limit, len(self.events))):
            key, latency_s, queue_s, count, size_bytes = popleft()
            try:
                cell = cells.get(key) or self._open(key)
                if count != 1:
                    count = whole(count)
                cell.count += count
                if latency_s is not None:
                    cell.latencies[bucket_of(latency_s)] += count
                if queue_s is not None:
                    cell.waits[bucket_of(queue_s)] += count
                if size_bytes:
                    cell.size_bytes += whole(size_bytes)
            except _Unusable as unusable:
                self._losses.add(unusable.loss, _whole_or_1(count), str(unusable))
            except Exception as error:  # whatever an argument's own methods raise
                self._losses.add(Loss.BAD_CALLS, 1, f"a message has a bad argument: {error}")

    def _open(self, key: Key) -> Cell:
        check_labels(key)
        if len(self._cells) >= self._max_series:
            raise _Unusable(
                Loss.DROPPED_MESSAGES,
                f"more than {self._max_series:,} series in one interval, such as {key}: "
                "is an id used as tenant, source, integration or reason?",
            )
        cell = self._cells[key] = Cell()
        return cell


class _Unusable(Exception):
    def __init__(self, loss: Loss, text: str) -> None:
        super().__init__(text)
        self.loss = loss


def check_labels(key: Key) -> None:
    """Raises TypeError where a label is neither text nor number."""
    for part in key:
        if part is not None and not isinstance(part, str | int):
            raise TypeError(f"{part!r:.100} stands where a text belongs")


def bucket_of(duration_s: float) -> int:
    """The bucket of a duration, seconds.

    Raises:
        TypeError, ValueError, OverflowError: it is no finite number.
    """
    if duration_s > 0:
        return ceil(log2(duration_s) * BUCKETS_A_DOUBLING) - 1
    if duration_s <= 0:
        return ZERO_BUCKET
    raise ValueError(f"{duration_s!r} is no duration in seconds")


def middle_s(bucket: int) -> float:
    """The duration that stands for a bucket, seconds; nonsense of more than 10^300 stays finite."""
    if bucket == ZERO_BUCKET:
        return 0.0
    exponent = (bucket + 0.5) / BUCKETS_A_DOUBLING
    return float(2.0 ** max(min(exponent, 1000.0), -1000.0))


def whole(number: object) -> int:
    """A whole number of messages or bytes, 0 to MAX_COUNT; also of another library's type.

    Raises:
        TypeError, ValueError: it is none.
    """
    value = index(number)  # type: ignore[arg-type]
    if not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{value} is no number of messages or bytes, 0 to {MAX_COUNT}")
    return value


def _whole_or_1(count: object) -> int:
    try:
        return whole(count)
    except (TypeError, ValueError):
        return 1
