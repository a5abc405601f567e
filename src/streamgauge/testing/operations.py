"""A process that is well, or is not, as told."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamgauge.web.ports import Expectation


@dataclass(slots=True)
class FakeOperations:
    """As `web.ports.Operations`."""

    told_problems: list[str] = field(default_factory=list)
    per_hour: float | None = 225.0
    strangers: frozenset[str] = frozenset()
    """Customers whose habit is not known yet."""

    def problems(self) -> list[str]:
        """What was told."""
        return self.told_problems

    def prometheus(self) -> bytes:
        """One metric."""
        return b"# TYPE streamgauge_up gauge\nstreamgauge_up 1\n"

    def expectation(self, tenant: str) -> Expectation | None:
        """The same for everyone whose habit is known."""
        return (
            None
            if self.per_hour is None or tenant in self.strangers
            else Expectation(self.per_hour)
        )
