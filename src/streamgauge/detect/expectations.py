"""What the configuration says about flows: declared ones, retired ones, how soon they speak."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from streamgauge.model.flow import Scope


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


@dataclass(frozen=True, slots=True)
class Declared:
    """A flow (or all flows of a scope) that shall speak, whether it ever did or not."""

    scope: Scope
    expected_within_s: float = 86_400.0
    """How long after `declared_at` its first message may take."""
    declared_at: float = 0.0
    """Epoch seconds; 0: counted from the first look at it."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """Which flows are expected beside those that were seen, and which no longer are."""

    declared: tuple[Declared, ...] = ()
    retired: tuple[Scope, ...] = ()
    """Every flow inside one of these scopes is not expected any more."""

    def is_retired(self, names: Names) -> bool:
        """Whether a retired scope holds these names."""
        return is_within(names, self.retired)


def is_within(names: Names, scopes: Iterable[Scope]) -> bool:
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
