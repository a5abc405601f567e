"""What a receiver makes of a body: columns, and the lines it had to refuse.

The tables are `pyarrow.Table`s; this module names their columns so that receivers, journal and
store agree. Tag columns are dictionary-encoded strings (int32 keys), never null: absent is "".
Instants are int64 nanoseconds since the epoch, UTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MESSAGES_COLUMNS: dict[str, str] = {
    "time_ns": "int64",
    "db": "tag",
    "tenant": "tag",
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "outcome": "tag",
    "reason": "tag",
    "router": "tag",
    "version": "tag",
    "tags": "tag",  # every other tag, as canonical line protocol: sorted `k=v,k=v`, escaped
    "count": "uint64",
    "bytes": "uint64",
    "latency_s": "float64?",  # null: not reported
    "queue_s": "float64?",
}
"""Measurement `messages`: one row a line. Counts of one series and time stamp add up."""

QUEUE_COLUMNS: dict[str, str] = {
    "time_ns": "int64",
    "db": "tag",
    "queue": "tag",
    "pipeline": "tag",
    "integration": "tag",
    "tenant": "tag",
    "router": "tag",
    "tags": "tag",
    "backlog": "float64?",
    "oldest_age_s": "float64?",
    "in_total": "float64?",
    "out_total": "float64?",
    "consumers": "float64?",
    "in_flight": "float64?",
}
"""Measurement `queue`: one row a line. The last acknowledged value for a series, field and time
stamp wins."""
ENDED = -math.inf
"""Stands in `queue` where a sender says that a state goes no further: unknown from then on."""

POINTS_COLUMNS: dict[str, str] = {
    "time_ns": "int64",
    "db": "tag",
    "measurement": "tag",
    "tags": "tag",  # all tags, canonical
    "field": "tag",
    "type": "tag",  # f, i, u, b, s: InfluxDB's field types
    "value": "float64?",  # numbers and booleans
    "text": "string?",  # strings; and integers beyond 2^53, exactly
}
"""Every other measurement, and unknown fields of the two above: one row a field. Last one wins."""


HOPS_COLUMNS: dict[str, str] = {
    "time_ns": "int64",
    "id": "string",  # of the message, the same at each of its hops; "" where none was told
    "tenant": "tag",
    "source": "tag",
    "integration": "tag",
    "pipeline": "tag",
    "stage": "tag",
    "outcome": "tag",
    "reason": "tag",
    "router": "tag",
    "version": "tag",
    "latency_s": "float64?",
    "queue_s": "float64?",
    "bytes": "uint64",
    "error": "string?",  # what went wrong in words, redacted; null where nothing did
    "pattern": "tag",  # the same without what varies from message to message; "" where none
    "fingerprint": "uint64",  # of (integration, reason, pattern); 0 where there is no pattern
}
"""A message's hops: one row each, beside the row of `messages` that counts it. One without an id is
part of no journey; patterns and fingerprints are of `error`, `dropped` and `expired` alone."""


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """One line that was not kept, and why."""

    line_number: int
    """1 for the first line of the body."""
    line: str
    """The line, cut to 256 characters, undecodable bytes replaced."""
    reason: str
    """For people: what is wrong with which field, and what is accepted."""
    tenant: str = ""
    """Whose it was, as far as it could be read."""
    reason_class: str = ""
    """As in `Parsed.rejected_by`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The good lines of one body, as columns. A table without rows is given, never None."""

    messages: pa.Table
    queue: pa.Table
    points: pa.Table
    durations: pa.Table | None = None
    """MESSAGES_COLUMNS: latencies and queue times of messages that are counted elsewhere, as
    histograms tell them; `count` is how many they stand for and adds nothing to the messages."""
    hops: pa.Table | None = None
    """HOPS_COLUMNS: one row for each of `messages`, in their order."""

    @property
    def row_count(self) -> int:
        """Rows that count: a hop is counted by its row of `messages`."""
        counted = (self.messages, self.queue, self.points, self.durations)
        return sum(int(table.num_rows) for table in counted if table is not None)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body as a receiver understood it."""

    batch: Batch
    line_count: int
    """Lines with content, good or bad: no comments, no blank ones. In other formats what their
    senders count: data points, samples, hops."""
    rejected_count: int
    rejected: list[RejectedLine] = field(default_factory=list)
    """The first 100 of the rejected lines, in order."""
    has_all_timestamps: bool = True
    """Whether every line that can be read brought its own time stamp, also those that a limit keeps
    out for now; only then can a retry be known by its body."""
    rejected_by: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """All rejected lines, counted by class of reason (`syntax`, `series`, …) and tenant."""
    is_collected: bool = False
    """On: our own collectors looked it up, which says nothing of whether anyone reports to us."""
