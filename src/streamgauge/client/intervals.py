"""What was counted in an interval, as the batches that tell it."""

from __future__ import annotations

import json
import os
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from streamgauge.client.batch import HOPS, LINE_PROTOCOL, Batch, Row, batches
from streamgauge.client.lines import LABELS, message_lines, plain, tags, value_line
from streamgauge.client.losses import Loss, Losses
from streamgauge.client.tally import Event, Key, Tally, bucket_of, check_labels, whole

T = TypeVar("T")

BEFORE_END_NS = 1_000_000
"""Sums are stamped within the last millisecond of what they sum up, not in the next interval."""
MAX_HOPS, MAX_VALUES = 20_000, 10_000
"""Of one interval."""
MAX_ERROR_CHARACTERS = 2_000
MAX_ALL_ERRORS_CHARACTERS = 5_000_000
"""Of all errors' texts of one interval; messages beyond are only counted."""


class Hop(NamedTuple):
    """One message at one step, told by itself."""

    time_ns: int
    message_id: str
    key: Key
    latency_s: float | None
    queue_s: float | None
    message_count: int
    size_bytes: int
    error: str


class Reading(NamedTuple):
    """A measurement that is no count of messages."""

    time_ns: int
    name: str
    tags: Mapping[str, object]
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reports."""

    router: str
    version: str

    @property
    def tags(self) -> dict[str, str]:
        """As tags of every line."""
        return {"router": self.router, "version": self.version}


class Intervals:
    """Everything counted since the last `close`."""

    def __init__(self, tally: Tally, losses: Losses, identity: Identity, database: str) -> None:
        self.tally, self._losses, self._identity = tally, losses, identity
        self._write_path = f"/write?db={quote(database)}&precision=ns"
        self._hops_path = f"/v1/messages?db={quote(database)}"
        self._hops: deque[Hop] = deque()
        self._readings: deque[Reading] = deque()
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a process that was forked."""
        self._hops.clear()
        self._readings.clear()
        self._error_characters = 0
        self._name, self._number = uuid.uuid4().hex, 0

    def add_hop(self, hop: Hop) -> None:
        """Tell one message by itself; where there are too many, it is only counted."""
        self.tally.wake()
        if len(self._hops) < MAX_HOPS and self._error_characters < MAX_ALL_ERRORS_CHARACTERS:
            self._error_characters += len(hop.error)
            self._hops.append(hop)
            return
        event: Event = (hop.key, hop.latency_s, hop.queue_s, hop.message_count, hop.size_bytes)
        self.tally.add(event)
        text = "too many messages with an id or error in one interval; the rest is only counted"
        self._losses.add(Loss.DROPPED_HOPS, 1, text)

    def add_reading(self, reading: Reading) -> None:
        """Tell a value."""
        self.tally.wake()
        if len(self._readings) < MAX_VALUES:
            self._readings.append(reading)
        else:
            text = f"more than {MAX_VALUES:,} values in one interval; the rest is dropped"
            self._losses.add(Loss.DROPPED_VALUES, 1, text)

    def close(self, at: float) -> Iterator[Batch]:
        """The batches of the interval that ends at `at`, epoch seconds."""
        self._number += 1
        at_ns = round(at * 1e6) * 1_000 - BEFORE_END_NS
        key = f"{self._name}-{self._number}"
        hops = list(self._hop_rows())
        rows = chain(self._message_rows(at_ns), self._reading_rows(), self._own_rows(at_ns))
        yield from batches(rows, self._write_path, LINE_PROTOCOL, f"{key}-lines")
        yield from batches(hops, self._hops_path, HOPS, f"{key}-hops")

    def _message_rows(self, at_ns: int) -> Iterator[Row]:
        sender = tags(self._identity.tags.items())
        for text, messages in message_lines(self.tally.take(), sender, at_ns):
            yield Row(text, messages)

    def _reading_rows(self) -> Iterator[Row]:
        for one in _drained(self._readings):
            try:
                labels = tags({**one.tags, **self._identity.tags}.items())
                text = value_line(one.name, labels, one.fields, one.time_ns)
            except Exception as error:  # whatever an argument's own methods raise
                self._losses.add(Loss.BAD_CALLS, 1, f"{one.name} has a bad argument: {error}")
                continue
            if text:
                yield Row(text, 0)

    def _own_rows(self, at_ns: int) -> Iterator[Row]:
        """The router's sign of life, and what its client lost since the last one.

        Processes that share a router's name have stamps of their own, or only one would be kept.
        """
        at_ns -= os.getpid() % BEFORE_END_NS
        told = {loss.value: count for loss, count in self._losses.take().items()}
        labels = tags(self._identity.tags.items())
        yield Row(value_line("streamgauge_client", labels, told, at_ns), 0)

    def _hop_rows(self) -> Iterator[Row]:
        heads: dict[Key, str] = {}
        self._error_characters = 0
        for hop in _drained(self._hops):
            try:
                head = heads.get(hop.key)
                if head is None:
                    head = heads[hop.key] = self._head(hop.key)
                count = whole(hop.message_count)
                yield Row(f'{{"time":{hop.time_ns}{head}{self._rest(hop, count)}}}', count)
            except Exception as error:  # whatever an argument's own methods raise
                self._losses.add(Loss.BAD_CALLS, 1, f"a message has a bad argument: {error}")

    def _head(self, key: Key) -> str:
        """What hops of one series have in common."""
        check_labels(key)
        return _members({**dict(zip(LABELS, map(plain, key), strict=True)), **self._identity.tags})

    def _rest(self, hop: Hop, count: int) -> str:
        told: dict[str, object] = {"id": hop.message_id}
        if count != 1:
            told["count"] = count
        if hop.size_bytes:
            told["bytes"] = whole(hop.size_bytes)
        if hop.latency_s is not None:
            told["latency_s"] = self._duration(hop.latency_s)
        if hop.queue_s is not None:
            told["queue_s"] = self._duration(hop.queue_s)
        if hop.error:
            told["error"] = plain(hop.error, MAX_ERROR_CHARACTERS)
        return _members(told)

    def _duration(self, seconds: float) -> float | str:
        """A bad one costs the message only its duration."""
        try:
            bucket_of(seconds)
            return max(float(seconds), 0.0)
        except (TypeError, ValueError, OverflowError) as error:
            self._losses.add(Loss.BAD_CALLS, 1, f"a message has a bad duration: {error}")
            return ""


_encode = json.JSONEncoder(separators=(",", ":")).encode


def _members(told: dict[str, object]) -> str:
    """`,"name":value` for each that is not empty."""
    text = _encode({name: value for name, value in told.items() if value != ""})
    return f",{text[1:-1]}" if len(text) > 2 else ""


def _drained(waiting: deque[T]) -> Iterator[T]:
    """What waits now, taken out one by one: others may append meanwhile."""
    for _ in range(len(waiting)):
        yield waiting.popleft()
