"""The index of rows: every flow, and every level above it that is judged.

A *group* is a flow or a level: (tenant, source), tenant, (tenant, integration), integration,
platform. What passes `received`, what is `delivered`, and what happens between are different
counts of the same messages, so a group has up to three *rows*, one per channel; all sums stand in
arrays indexed by row. Row 0 belongs to nobody: it takes what has no parent.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Ints, grown
from streamgauge.detect.flow_numbers import FlowNumbers
from streamgauge.model.flow import Flow, Scope

MAX_FLOWS_PER_TENANT = 20_000
MAX_TENANTS = 50_000


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


def levels_of(flow: Flow) -> list[Names]:
    """A flow's own group, then the levels above it; those that do not apply are left out."""
    tenant, source, integration, pipeline, stage = flow
    above = [
        Names(Level.FLOW, tenant, source, integration, pipeline, stage),
        Names(Level.SOURCE, tenant, source),
        Names(Level.TENANT, tenant),
        Names(Level.PLATFORM),
    ]
    if integration:
        above.append(Names(Level.TENANT_INTEGRATION, tenant, None, integration))
        above.append(Names(Level.INTEGRATION, None, None, integration))
    return above


class Levels:
    """Maps tags to rows, and grows with every flow never seen before.

    A flow costs some 10 kB of sums and habits. A runaway tag, such as an id sent as integration,
    makes a flow of every message; so beyond a number of flows a customer's new ones count in the
    customer as a whole only, and beyond a number of customers in the platform only.
    """

    def __init__(
        self, max_flows: int = MAX_FLOWS_PER_TENANT, max_tenants: int = MAX_TENANTS
    ) -> None:
        self._max_flows, self._max_tenants = max_flows, max_tenants
        self._flow_counts: dict[str, int] = {}
        """By tenant."""
        self.unwatched_count = 0
        """Flows that are not watched one by one."""
        self.groups: list[Names] = []
        self.channel_rows: Ints = np.full((64, 3), -1, np.int32)
        """int32 [groups, 3]: the row of each channel, -1 where there is none."""
        self.row_group: Ints = np.zeros(64, np.int32)
        self.flow_rows: Ints = np.zeros((64, 6), np.int32)
        """int32 [flows, 6]: the rows that a message of the flow counts in; 0 fills up."""
        self.row_count = 1
        self.flows: list[Flow] = []
        self.members: dict[int, dict[int, None]] = {}
        """Groups directly below: sources and integrations of a tenant, customers of an
        integration, flows of a (tenant, source); in the order they were first seen."""
        self._group_of: dict[Names, int] = {}
        self._numbers = FlowNumbers()

    def locate(self, table: pa.Table) -> Ints:
        """The flow number of each row of a table with the five tags; new flows are added.

        Returns: int32 [rows].
        """
        found, fresh = self._numbers.locate(table)
        for flow in fresh:
            self._add_flow(flow)
        return found

    def find(self, names: Names) -> int | None:
        """The group of that name."""
        return self._group_of.get(names)

    def platform(self) -> int | None:
        """The group that everything counts in."""
        return self._group_of.get(Names(Level.PLATFORM))

    def rows_of(self, group: int) -> list[int]:
        """All rows of a group."""
        return [int(row) for row in self.channel_rows[group] if row >= 0]

    def primary(self, group: int) -> int:
        """The row that tells whether the group speaks."""
        order = OUTBOUND if self.groups[group].level in _DELIVERING else INBOUND
        return next(
            int(self.channel_rows[group, channel])
            for channel in order
            if self.channel_rows[group, channel] >= 0
        )

    def of_level(self, level: Level) -> list[int]:
        """All groups of a level, oldest first."""
        return [group for group, names in enumerate(self.groups) if names.level is level]

    def tenants_of(self, group: int) -> list[str]:
        """The customers that a group is about, in the order they were first seen."""
        names = self.groups[group]
        if names.tenant is not None:
            return [names.tenant]
        below = (self.groups[member].tenant for member in self.members.get(group, ()))
        return list(dict.fromkeys(tenant for tenant in below if tenant is not None))

    def _add_flow(self, flow: Flow) -> None:
        number = len(self.flows)
        self.flows.append(flow)
        channel = channel_of(flow.stage)
        above = [(names, self._group(names)) for names in self._watched(flow)]
        self.flow_rows = grown(self.flow_rows, number + 1, 0)
        for place, (_, group) in enumerate(above):
            self.flow_rows[number, place] = self._row(group, channel)
        by_level = {names.level: group for names, group in above}
        for child, parent in _PARENTS:
            if child in by_level and parent in by_level:
                self.members.setdefault(by_level[parent], {})[by_level[child]] = None

    def _watched(self, flow: Flow) -> list[Names]:
        """What a new flow counts in; all of its levels, unless there are too many flows already."""
        names = levels_of(flow)
        known = self._flow_counts.get(flow.tenant)
        if known is None and len(self._flow_counts) >= self._max_tenants:
            self.unwatched_count += 1
            return [name for name in names if name.level is Level.PLATFORM]
        self._flow_counts[flow.tenant] = (known or 0) + 1
        if (known or 0) < self._max_flows:
            return names
        self.unwatched_count += 1
        return [name for name in names if name.level in {Level.TENANT, Level.PLATFORM}]

    def _group(self, names: Names) -> int:
        group = self._group_of.get(names)
        if group is None:
            group = self._group_of[names] = len(self.groups)
            self.groups.append(names)
            self.channel_rows = grown(self.channel_rows, group + 1, -1)
        return group

    def _row(self, group: int, channel: Channel) -> int:
        row = int(self.channel_rows[group, channel])
        if row < 0:
            row = self.row_count
            self.row_count += 1
            self.channel_rows[group, channel] = row
            self.row_group = grown(self.row_group, row + 1, 0)
            self.row_group[row] = group
        return row


_DELIVERING = (Level.TENANT_INTEGRATION, Level.INTEGRATION)
_PARENTS = (
    (Level.FLOW, Level.SOURCE),
    (Level.SOURCE, Level.TENANT),
    (Level.TENANT_INTEGRATION, Level.TENANT),
    (Level.TENANT_INTEGRATION, Level.INTEGRATION),
    (Level.TENANT, Level.PLATFORM),
)
