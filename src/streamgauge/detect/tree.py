"""The tree of levels above a flow, and the channels in which the same messages are counted."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from streamgauge.model.flow import Scope


class Level(IntEnum):
    """What a group stands for."""

    FLOW = 0
    SOURCE = 1
    """(tenant, source)"""
    TENANT = 2
    TENANT_INTEGRATION = 3
    INTEGRATION = 4
    PLATFORM = 5


class Channel(IntEnum):
    """Which count of the same messages a row holds."""

    IN = 0
    """`received`"""
    BETWEEN = 1
    OUT = 2
    """`delivered`"""


INBOUND = (Channel.IN, Channel.OUT, Channel.BETWEEN)
"""Best first: what tells whether a customer speaks."""
OUTBOUND = (Channel.OUT, Channel.BETWEEN, Channel.IN)
"""Best first: what tells whether messages arrive."""


class Names(NamedTuple):
    """What a group is called; None: all of them."""

    level: Level
    tenant: str | None = None
    source: str | None = None
    integration: str | None = None
    pipeline: str | None = None
    stage: str | None = None

    @property
    def scope(self) -> Scope:
        """The scope of findings about it."""
        return Scope(self.tenant, self.source, self.integration, self.pipeline)


def channel_of(stage: str) -> Channel:
    """The channel that counts of a stage belong to."""
    return {"received": Channel.IN, "delivered": Channel.OUT}.get(stage, Channel.BETWEEN)


def overlap(a: Names, b: Names) -> bool:
    """Whether one message can count in both."""
    return all(x is None or y is None or x == y for x, y in zip(a.scope, b.scope, strict=True))
