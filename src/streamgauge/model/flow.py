"""The unit of care, and the levels above it."""

from __future__ import annotations

from typing import NamedTuple


class Flow(NamedTuple):
    """Messages of one tenant, from one source, to one integration, on one stage of a pipeline.

    An empty string means that the sender gave no such tag.
    """

    tenant: str
    source: str = ""
    integration: str = ""
    pipeline: str = ""
    stage: str = "delivered"


class Scope(NamedTuple):
    """Which flows are meant: None is every value of that dimension (the level above)."""

    tenant: str | None = None
    source: str | None = None
    integration: str | None = None
    pipeline: str | None = None

    def describe(self) -> str:
        """The scope in words, for sentences: `customer acme, source web`, or `the platform`."""
        names = ("customer", "source", "integration", "pipeline")
        parts = [f"{name} {value}" for name, value in zip(names, self, strict=True) if value]
        return ", ".join(parts) or "the platform"


PLATFORM = Scope()
