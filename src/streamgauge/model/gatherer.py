"""What gathers by itself, and how it is doing: collectors of queues, scrapes, listeners.

Unknown is unknown: a value that was not told is None, and a gatherer that was not tried is neither
well nor failing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class GathererState(StrEnum):
    """How the last tries went."""

    OK = "ok"
    FAILING = "failing"
    """Nothing, or not all of what it is to see, was seen at the last try."""
    UNKNOWN = "unknown"
    """Not tried yet."""


class Fault(StrEnum):
    """What kind of trouble it is, for those who count; the words are for people."""

    REFUSED = "refused"
    """Nothing listens there, or there is no way there."""
    HANGS = "hangs"
    """It takes connections and does not answer in time."""
    CUT = "cut"
    """It ended the connection in the middle."""
    CREDENTIALS = "credentials"
    """It does not know the user, or the password is wrong or missing."""
    PERMISSION = "permission"
    """It knows the user, who may not do what is needed."""
    GONE = "gone"
    """What is to be read does not exist."""
    ANSWER = "answer"
    """It answered with something else than expected."""
    OURS = "ours"
    """streamgauge could not keep what was read."""


class AgeMethod(StrEnum):
    """How the age of the oldest message is known."""

    BROKER = "broker"
    """The broker tells it."""
    HEAD = "time stamp of the oldest message"
    """Looked up at the broker."""
    POSITION = "position and time"
    """By when as many messages had been put as stand before the oldest one that waits."""
    QUERY = "query"
    """The user's own query tells it."""
    NONE = ""
    """It is not known."""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """One queue at one moment; None is not known, never zero."""

    queue: str
    pipeline: str = ""
    integration: str = ""
    tenant: str = ""
    backlog: float | None = None
    """Messages waiting."""
    oldest_age_s: float | None = None
    in_total: float | None = None
    """Messages ever put; may begin anew."""
    out_total: float | None = None
    """Messages ever dealt with; may begin anew."""
    consumers: float | None = None
    in_flight: float | None = None
    """Handed out and not yet acknowledged."""
    at: float | None = None
    """Epoch seconds; None: now."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """More about it, for raw points only."""
    oldest_age_method: AgeMethod = AgeMethod.NONE
    problem: str = ""
    """Not empty: this queue could not be read, while others could; says why and what to do."""


@dataclass(frozen=True, slots=True)
class GathererHealth:
    """How one gatherer is doing."""

    name: str
    kind: str
    """`rabbitmq`, `scrape`, …"""
    address: str
    """Where it gathers, without user and password."""
    every_s: float | None
    """Between two tries; None: it listens."""
    state: GathererState = GathererState.UNKNOWN
    since: float | None = None
    """Epoch seconds: since when it is in this state, as far as that is known."""
    last_success_at: float | None = None
    last_error: str = ""
    """What, where, what to do; of the last failure. Empty: there was none since the last start."""
    last_error_at: float | None = None
    fault: Fault | None = None
    """Of the last failure."""
    failed_in_a_row: int = 0
    reads_total: int = 0
    failures_total: int = 0
    lost_total: int | None = None
    """What came and was lost since the start: datagrams, of a stream lines. None: it is no listener
    whose senders get no answers."""
    queues: tuple[QueueReading, ...] = ()
    """Those seen when last all went well, with what was read then."""

    @property
    def unseen(self) -> tuple[QueueReading, ...]:
        """Of the queues, those that are not known just now."""
        if self.state is not GathererState.FAILING:
            return ()
        single = tuple(queue for queue in self.queues if queue.problem)
        return single or self.queues
