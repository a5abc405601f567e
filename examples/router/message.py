"""A message on its way: one event of one customer, on its way to one integration."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from streamgauge.client import read, stamp

IN_HEADERS = ("id", "received_at")


@dataclass(frozen=True, slots=True)
class Message:
    """One event, for one integration. Id and first stamp travel in headers, the rest as JSON."""

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

    def headers(self) -> dict[str, Any]:
        """Id and first stamp, for brokers."""
        return stamp(id=self.id, at=self.received_at)

    def encode(self) -> bytes:
        """All but the headers as JSON, for queues outside this process."""
        told = {name: value for name, value in asdict(self).items() if name not in IN_HEADERS}
        return json.dumps(told, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, data: bytes, headers: Mapping[str, Any] | None) -> Message:
        """The reverse of `encode` and `headers`; without a first stamp, since it was queued."""
        told, trace = json.loads(data), read(headers)
        first_at = told["queued_at"] if trace.first_at is None else trace.first_at
        return cls(id=trace.id or "", received_at=first_at, **told)


def id_of(event: Mapping[str, Any]) -> str:
    """The id that the customer gave an event, as far as headers can carry it; else a new one."""
    return read(stamp(id=str(event.get("id") or ""))).id or uuid.uuid4().hex
