"""What groups are called: numbers of a level to names, and back."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.flow_numbers import FlowNumbers
from streamgauge.detect.pair_numbers import PairNumbers
from streamgauge.detect.tree import Level, Names
from streamgauge.model.flow import Flow


class Naming:
    """Reads the names of groups from the numbers of tags, and of pairs of them."""

    def __init__(self, numbers: FlowNumbers) -> None:
        self._numbers = numbers
        self.both = PairNumbers()
        """(tenant, integration)"""

    def names(self, level: Level, number: int) -> Names:
        """A group in words."""
        tenants, sources, integrations = self._numbers.tags[:3]
        if level is Level.FLOW:
            return Names(level, *self._numbers.flow(number))
        if level is Level.SOURCE:
            tenant, source = self._numbers.sources.pairs(np.array([number]))
            return Names(level, tenants.text(int(tenant[0])), sources.text(int(source[0])))
        if level is Level.TENANT:
            return Names(level, tenants.text(number))
        if level is Level.TENANT_INTEGRATION:
            tenant, integration = self.both.pairs(np.array([number]))
            names = tenants.text(int(tenant[0])), integrations.text(int(integration[0]))
            return Names(level, names[0], None, names[1])
        if level is Level.INTEGRATION:
            return Names(level, None, None, integrations.text(number))
        return Names(level)

    def number(self, names: Names) -> int | None:
        """Its number among those of its level; None or -1: never seen."""
        if names.level is Level.FLOW:
            return self._numbers.find(Flow(*(text or "" for text in names[1:])))
        tenant, source, integration = (
            tag.find(text) for tag, text in zip(self._numbers.tags[:3], names[1:4], strict=True)
        )
        if names.level is Level.SOURCE:
            return _found(self._numbers.sources, tenant, source)
        if names.level is Level.TENANT_INTEGRATION:
            return _found(self.both, tenant, integration)
        wide = {Level.TENANT: tenant, Level.INTEGRATION: integration, Level.PLATFORM: 0}
        return wide[names.level]


def _found(pairs: PairNumbers, left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return None
    return int(pairs.find(np.array([left]), np.array([right]))[0])
