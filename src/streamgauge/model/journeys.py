"""What a message went through, hop by hop, and what went wrong with many of them.

Instants are epoch seconds, UTC. Words of tags that were not told are empty, numbers None.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hop:
    """A message at one stage."""

    at: float
    tenant: str
    source: str
    integration: str
    pipeline: str
    stage: str
    outcome: str
    reason: str
    router: str
    version: str
    latency_s: float | None
    """End to end, from the message's first stamp."""
    queue_s: float | None
    """Waited in the queue before this stage."""
    bytes: int
    error: str | None
    """What went wrong in the sender's words, redacted."""


@dataclass(frozen=True, slots=True)
class Journey:
    """All that is known of one message."""

    id: str
    hops: tuple[Hop, ...]
    """By time, then by the order of stages; of an id that several customers use, those of all."""
    is_complete: bool
    """False: hops of it may be gone, since of old ones only a share is kept."""


@dataclass(frozen=True, slots=True)
class ErrorSample:
    """One message with which it went wrong."""

    id: str
    tenant: str
    at: float
    error: str
    """The text as it came, redacted."""


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors that are alike: same integration, same reason, same text but for what varies."""

    fingerprint: str
    """16 hexadecimal digits; empty: errors of (integration, reason) that came without a text."""
    integration: str
    reason: str
    pattern: str
    """The text without what varies; empty where there is none."""
    count: int
    """Messages, never sampled."""
    first_at: float
    """The first of them in the range, to the minute. Without a text: of all errors of this
    integration and reason of customers that have such ones."""
    last_at: float
    """The newest, the same."""
    tenant_count: int
    tenants: tuple[tuple[str, int], ...]
    """The most affected with how many messages each, at most 20."""
    samples: tuple[ErrorSample, ...]
    """A few, the newest first, of as many customers as possible; none where no text came."""
