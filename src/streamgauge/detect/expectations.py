"""What people say about flows, as detection takes it; it can be replaced between two turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from streamgauge.detect.arrays import Ints
from streamgauge.detect.levels import Levels
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.flow import Flow, Scope


class Names(Protocol):
    """The tags that a scope is compared with: a `Flow`, or the names of a level."""

    @property
    def tenant(self) -> str | None: ...  # noqa: D102
    @property
    def source(self) -> str | None: ...  # noqa: D102
    @property
    def integration(self) -> str | None: ...  # noqa: D102
    @property
    def pipeline(self) -> str | None: ...  # noqa: D102


@dataclass(frozen=True)
class Expectations:
    """Everything that was said; of two about one scope the later one holds."""

    flows: tuple[ExpectedFlow, ...] = ()

    @cached_property
    def by_tenant(self) -> dict[str | None, list[ExpectedFlow]]:
        """The wider scopes first."""
        found: dict[str | None, list[ExpectedFlow]] = {}
        for one in sorted(self.flows, key=_narrowness):
            found.setdefault(one.scope.tenant, []).append(one)
        return found

    def about(self, names: Names) -> list[ExpectedFlow]:
        """All whose scope holds these names, the narrowest last."""
        said = self.by_tenant.get(names.tenant, [])
        if None in self.by_tenant and names.tenant is not None:
            said = [*self.by_tenant[None], *said]
        return [one for one in said if is_within(names, (one.scope,))]


class Reach:
    """Finds the flows of a scope without comparing every flow with it."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels

    def flows_of(self, scope: Scope) -> Ints:
        """The numbers of all flows inside of a scope, ascending; a scope of only None has none."""
        if all(part is None for part in scope):
            return np.zeros(0, np.int64)
        return self._levels.flows_within(scope)


def is_within(names: Names | Flow, scopes: Iterable[Scope]) -> bool:
    """Whether one of `scopes` holds `names`; a scope of nothing but None holds nothing."""
    return any(
        any(wanted is not None for wanted in scope)
        and all(
            wanted is None or wanted == given
            for wanted, given in zip(
                scope,
                (names.tenant, names.source, names.integration, names.pipeline),
                strict=True,
            )
        )
        for scope in scopes
    )


def _narrowness(one: ExpectedFlow) -> int:
    return sum(part is not None for part in one.scope)
