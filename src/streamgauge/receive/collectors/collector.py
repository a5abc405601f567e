"""What a collector is: it opens a connection, reads all queues that may be seen, and closes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from streamgauge.model.gatherer import AgeMethod, QueueReading
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.naming import Naming

__all__ = ["AgeMethod", "Collector", "CollectorSettings", "QueueReading"]


@dataclass(frozen=True, slots=True)
class CollectorSettings:
    """What a collector is made from."""

    kind: str
    name: str
    address: Address
    every_s: float = 10.0
    timeout_s: float = 10.0
    """Of one read with its opening, at most."""
    naming: Naming = field(default_factory=Naming)
    options: Mapping[str, Any] = field(default_factory=dict)
    """What only its kind has: the other keys of its table in the configuration."""


class Collector(Protocol):
    """One connection to one queue system, used by one task at a time.

    What goes wrong is raised: `CollectorFault` where the words are known here, any other exception
    where `faults.explain` finds them. After that it is closed and opened anew.
    """

    kind: str

    async def open(self) -> None:
        """Connect. Passwords are asked from the address now, so that a new one is taken up."""
        ...

    async def read(self) -> Sequence[QueueReading]:
        """All queues that may be seen; `settings.naming` filters what is costly to read.

        The runner filters again and names them. A single queue that cannot be read is told by
        `QueueReading.problem`.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection, also of one that is broken or was never opened."""
        ...
