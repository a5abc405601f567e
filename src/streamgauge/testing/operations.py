"""A process that is well, or is not, as told."""

from __future__ import annotations

from dataclasses import dataclass, field

from streamgauge.model.budget import Budget
from streamgauge.model.errors import StoreError
from streamgauge.model.gatherer import GathererHealth
from streamgauge.model.refusal import Refusal, RefusedLine
from streamgauge.model.unmapped import Unmapped
from streamgauge.web.ports import Expectation


@dataclass(slots=True)
class FakeOperations:
    """As `web.ports.Operations`."""

    told_problems: list[str] = field(default_factory=list)
    told_notices: list[str] = field(default_factory=list)
    told_budget: Budget | None = None
    per_hour: float | None = 225.0
    strangers: frozenset[str] = frozenset()
    """Customers whose habit is not known yet."""
    refused: list[Refusal] = field(default_factory=list)
    lines: list[RefusedLine] | None = field(default_factory=list)
    """None: the store does not answer."""
    told_gatherers: list[GathererHealth] = field(default_factory=list)
    told_unmapped: list[Unmapped] = field(default_factory=list)

    def problems(self) -> list[str]:
        """What was told."""
        return self.told_problems

    def notices(self) -> list[str]:
        """What was told."""
        return self.told_notices

    def budget(self) -> Budget | None:
        """What was told."""
        return self.told_budget

    def gatherers(self) -> list[GathererHealth]:
        """What was told."""
        return self.told_gatherers

    def unmapped(self) -> list[Unmapped]:
        """What was told."""
        return self.told_unmapped

    def prometheus(self) -> bytes:
        """One metric."""
        return b"# TYPE streamgauge_up gauge\nstreamgauge_up 1\n"

    def refusals(self, tenant: str | None = None) -> list[Refusal]:
        """Those of one customer, or all."""
        return [one for one in self.refused if tenant is None or one.tenant == tenant]

    def refused_lines(self, tenant: str | None, since_s: float, limit: int) -> list[RefusedLine]:
        """What was told."""
        if self.lines is None:
            raise StoreError("the engine refused", permanent=False)
        found = [line for line in self.lines if tenant is None or line.tenant == tenant]
        return [line for line in found if line.at >= since_s][:limit]

    def expectation(self, tenant: str) -> Expectation | None:
        """The same for everyone whose habit is known."""
        return (
            None
            if self.per_hour is None or tenant in self.strangers
            else Expectation(self.per_hour)
        )
