"""A receiver without a store: what reached it stays in a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.receive.gates import Gates, gates_of
from streamgauge.receive.intake import Intake
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.ports import Sink
from streamgauge.receive.workshop import Workshop


@dataclass
class MemorySink:
    """Keeps bodies in a list and knows retries."""

    bodies: list[Parsed] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    received_at: list[float] = field(default_factory=list)
    failure: Exception | None = None
    """Raised in place of keeping anything, while it is set."""

    def write(self, parsed: Parsed, retry_key: bytes | None, received_at: float) -> bool:
        """Keep a body unless its key was seen."""
        if self.failure:
            raise self.failure
        self.keys.append(retry_key)
        if retry_key is not None and retry_key in self.keys[:-1]:
            return False
        self.bodies.append(parsed)
        self.received_at.append(received_at)
        return True

    def knows(self, retry_key: bytes) -> bool:
        """Whether a body of that key was kept."""
        return retry_key in self.keys

    @property
    def message_count(self) -> int:
        """Messages in all bodies."""
        return sum(sum(body.batch.messages["count"].to_pylist()) for body in self.bodies)

    @property
    def row_count(self) -> int:
        """Rows in all bodies."""
        return sum(body.batch.row_count for body in self.bodies)


def workshop_of(
    sink: Sink, clock: Clock, limits: ReceiveLimits | None = None, gates: Gates | None = None
) -> Workshop:
    """What `routes` take, on this sink."""
    limits = limits or ReceiveLimits()
    return Workshop(Intake(sink, gates or gates_of(clock, limits)), limits)
