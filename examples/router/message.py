"""A message on its way: one event of one customer, on its way to one integration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One event, for one integration. The stamps travel with it through any queue."""

    id: str
    tenant: str
    source: str
    integration: str
    received_at: float
    """Epoch seconds: the first stamp, from which end-to-end latency counts."""
    queued_at: float
    """Epoch seconds: when it was put into the queue."""
    size_bytes: int
    """Of the event as compact JSON."""
    event: Mapping[str, Any]
    """The customer's own object, untouched."""

    def encode(self) -> bytes:
        """The message as JSON, for queues outside this process."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes) -> Message:
        """The reverse of `encode`."""
        return cls(**json.loads(data))
