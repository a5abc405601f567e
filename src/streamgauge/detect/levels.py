"""The index of rows: every flow, and every level above it that is judged.

A *group* is a flow or a level: (tenant, source), tenant, (tenant, integration), integration,
platform. What passes `received`, what is `delivered`, and what happens between are different
counts of the same messages, so a group has up to three *rows*, one per channel; all sums stand in
arrays indexed by row. Row 0 belongs to nobody: it takes what has no parent.

All is numbers in arrays: a hundred thousand new flows in a minute make no Python object each;
names are read back when somebody asks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Bools, Ints, first_seen, grown
from streamgauge.detect.flow_limits import MAX_FLOWS_PER_TENANT, MAX_TENANTS, FlowLimits
from streamgauge.detect.flow_numbers import Codes, FlowNumbers
from streamgauge.detect.lazy import Lazy
from streamgauge.detect.members import Members
from streamgauge.detect.naming import Naming
from streamgauge.detect.tree import INBOUND, OUTBOUND, Channel, Level, Names, channel_of
from streamgauge.model.flow import Flow, Scope

__all__ = ["INBOUND", "OUTBOUND", "Channel", "Level", "Levels", "Names", "channel_of"]

_ORDER = (
    Level.FLOW,
    Level.SOURCE,
    Level.TENANT,
    Level.PLATFORM,
    Level.TENANT_INTEGRATION,
    Level.INTEGRATION,
)
"""In which a flow's groups stand in `flow_rows`."""
_FLOW, _SOURCE, _TENANT, _PLATFORM, _BOTH, _INTEGRATION = range(6)
_PARENTS = (
    (_FLOW, _SOURCE),
    (_SOURCE, _TENANT),
    (_BOTH, _TENANT),
    (_BOTH, _INTEGRATION),
    (_TENANT, _PLATFORM),
)
_SHAPED_BY = ((_FLOW, _SOURCE), (_SOURCE, _TENANT), (_BOTH, _TENANT))
"""Whose week a row's own is like."""


class Levels:
    """Maps tags to rows, and grows with every flow never seen before.

    A runaway tag, such as an id sent as integration, makes a flow of every message; so beyond a
    number of flows a customer's new ones count in the customer as a whole only, and beyond a number
    of customers in the platform only.
    """

    def __init__(
        self, max_flows: int = MAX_FLOWS_PER_TENANT, max_tenants: int = MAX_TENANTS
    ) -> None:
        self._limits = FlowLimits(max_flows, max_tenants)
        self.channel_rows: Ints = np.full((64, 3), -1, np.int32)
        """int32 [groups, 3]: the row of each channel, -1 where there is none."""
        self.primary_rows: Ints = np.zeros(64, np.int32)
        """int32 [groups]: the row that tells whether the group speaks."""
        self.row_group: Ints = np.zeros(64, np.int32)
        self.row_above: Ints = np.zeros(64, np.int32)
        """int32 [rows]: of a flow that of its (tenant, source), of those and of (tenant,
        integration) that of the tenant, in the same channel; else 0."""
        self.flow_rows: Ints = np.zeros((64, 6), np.int32)
        """int32 [flows, 6]: the rows that a message of the flow counts in; 0 fills up."""
        self.row_count = 1
        self.group_level: Ints = np.zeros(64, np.int8)
        """int8 [groups]: of `Level`."""
        self._group_id: Ints = np.zeros(64, np.int32)
        """int32 [groups]: its number among those of its level."""
        self._group_of: dict[Level, Ints] = {level: np.zeros(0, np.int32) for level in Level}
        """By level, by that number; -1: not watched."""
        self._group_count = self._flow_count = 0
        self.members = Members()
        """Groups directly below: sources and integrations of a tenant, customers of an
        integration, flows of a (tenant, source); in the order they were first seen."""
        self._numbers = FlowNumbers()
        self._naming = Naming(self._numbers)
        self._of_tenant = Members()
        self.groups: Sequence[Names] = Lazy(
            lambda: self._group_count,
            lambda group: self._naming.names(
                Level(int(self.group_level[group])), int(self._group_id[group])
            ),
        )
        self.flows: Sequence[Flow] = Lazy(lambda: self._flow_count, self._numbers.flow)

    def locate(self, table: pa.Table) -> Ints:
        """The flow number of each row of a table with the five tags; new flows are added.

        Returns: int32 [rows].
        """
        found = self._numbers.locate(table)
        if self._numbers.count > self._flow_count:
            self._add_flows(np.arange(self._flow_count, self._numbers.count))
        return found

    @property
    def unwatched_count(self) -> int:
        """Flows that are not watched one by one."""
        return self._limits.unwatched_count

    def known(self, table: pa.Table) -> Ints:
        """The same, but nothing is added: -1 where a flow was never seen."""
        return self._numbers.known(table)

    @property
    def group_count(self) -> int:
        """How many groups there are."""
        return self._group_count

    @property
    def flow_count(self) -> int:
        """How many flows there are."""
        return self._flow_count

    def find(self, names: Names) -> int | None:
        """The group of that name."""
        number = self._naming.number(names)
        of_level = self._group_of[names.level]
        if number is None or not 0 <= number < len(of_level) or of_level[number] < 0:
            return None
        return int(of_level[number])

    def platform(self) -> int | None:
        """The group that everything counts in."""
        return self.find(Names(Level.PLATFORM))

    def rows_of(self, group: int) -> list[int]:
        """All rows of a group."""
        return [int(row) for row in self.channel_rows[group] if row >= 0]

    def primary(self, group: int) -> int:
        """The row that tells whether the group speaks."""
        return int(self.primary_rows[group])

    def of_level(self, level: Level) -> list[int]:
        """All groups of a level, oldest first."""
        found: list[int] = np.flatnonzero(self.group_level[: self._group_count] == level).tolist()
        return found

    def tenants_of(self, group: int) -> list[str]:
        """The customers that a group is about, in the order they were first seen."""
        names = self.groups[group]
        if names.tenant is not None:
            return [names.tenant]
        below = np.array(self.members.get(group), np.int64)
        ids, texts = self._group_id[below], self._numbers.tags[0]
        if names.level is Level.INTEGRATION:
            ids = self._naming.both.pairs(ids)[0]
        return [texts.text(number) for number in ids.tolist()]

    def flows_within(self, scope: Scope) -> Ints:
        """The numbers of all flows inside of a scope, ascending; None is every value."""
        tags = self._numbers.tags
        wanted = [tag.find(text) for tag, text in zip(tags, scope, strict=False)]
        if any(text is not None and code is None for text, code in zip(scope, wanted, strict=True)):
            return np.zeros(0, np.int64)
        flows: Ints = np.arange(self._flow_count)
        if wanted[0] is not None:
            flows = np.array(self._of_tenant.get(wanted[0]), np.int64)
        if all(code is None for code in wanted[1:]):
            return flows
        codes = self._numbers.codes(flows)
        is_within = np.ones(len(flows), bool)
        for code, of_flow in zip(wanted[1:], codes[1:4], strict=True):
            if code is not None:
                is_within &= of_flow == code
        return flows[is_within]

    def tenants_of_groups(self, groups: Ints) -> Ints:
        """The number [n] of each group's customer; -1: it is of several."""
        levels, ids = self.group_level[groups], self._group_id[groups].astype(np.int64)
        found = np.full(len(groups), -1, np.int64)
        at = levels == Level.FLOW
        found[at] = self._numbers.codes(ids[at]).tenant
        at = levels == Level.SOURCE
        found[at] = self._numbers.sources.pairs(ids[at])[0]
        at = levels == Level.TENANT_INTEGRATION
        found[at] = self._naming.both.pairs(ids[at])[0]
        return np.where(levels == Level.TENANT, ids, found)

    def tenants_of_flows(self, flows: Ints) -> Ints:
        """The number [n] of each flow's customer."""
        return self._numbers.codes(flows).tenant

    def flows_of_rows(self, rows: Ints) -> Ints:
        """The numbers of flows that may count in one of these rows; there may be others."""
        groups = self.row_group[rows]
        is_flow = self.group_level[groups] == Level.FLOW
        tenants = self.tenants_of_groups(groups[~is_flow])
        own = self._group_id[groups[is_flow]].astype(np.int64)
        return np.union1d(own, self.flows_of_tenants(tenants))

    def flows_of_tenants(self, tenants: Ints) -> Ints:
        """The numbers of all flows of these customers; of all if one of them is -1."""
        if (tenants < 0).any():
            return np.arange(self._flow_count)
        return self._of_tenant.of_any(np.unique(tenants)).astype(np.int64)

    @property
    def nbytes(self) -> int:
        """What the index takes in memory, without the texts."""
        arrays = [self.channel_rows, self.primary_rows, self.row_group, self.row_above]
        arrays += [self.flow_rows, self.group_level, self._group_id, *self._group_of.values()]
        parts = (self._numbers, self._naming.both, self.members, self._of_tenant)
        return sum(a.nbytes for a in arrays) + sum(part.nbytes for part in parts)

    def _add_flows(self, flows: Ints) -> None:
        self._flow_count = int(flows[-1]) + 1
        codes = self._numbers.codes(flows)
        self._of_tenant.add(codes.tenant, flows)
        is_of_tenant, is_whole = self._limits.watched(codes.tenant)
        has = np.stack([is_whole] * 6, axis=1)
        has[:, _TENANT], has[:, _PLATFORM] = is_of_tenant, True
        nowhere = self._numbers.tags[2].find("")
        has[:, [_BOTH, _INTEGRATION]] &= (codes.integration != nowhere)[:, None]
        groups = self._groups(flows, codes, has)
        channels = self._channels()[codes.stage]
        rows = self._rows(groups, channels)
        compact = np.argsort(~has, axis=1, kind="stable")
        self.flow_rows = grown(self.flow_rows, self._flow_count, 0)
        self.flow_rows[flows] = np.take_along_axis(rows, compact, axis=1)

    def _groups(self, flows: Ints, codes: Codes, has: Bools) -> Ints:
        """The groups, [flows, 6], -1 where there is none; new ones are added."""
        ids = np.zeros((len(flows), 6), np.int64)
        ids[:, _FLOW], ids[:, _SOURCE] = flows, self._numbers.source_numbers(flows)
        ids[:, _TENANT], ids[:, _INTEGRATION] = codes.tenant, codes.integration
        at = has[:, _BOTH]
        ids[at, _BOTH] = self._naming.both.number(codes.tenant[at], codes.integration[at])
        groups = np.full(has.shape, -1, np.int64)
        for place, level in enumerate(_ORDER):
            known = grown(self._group_of[level], int(ids[:, place].max()) + 1, -1)
            self._group_of[level] = known
            groups[:, place] = np.where(has[:, place], known[ids[:, place]], -1)
        is_new = has & (groups < 0)
        if is_new.any():
            self._add_groups(groups, ids, is_new)
        return groups

    def _add_groups(self, groups: Ints, ids: Ints, is_new: Bools) -> None:
        levels = np.broadcast_to(np.array(_ORDER, np.int64), ids.shape)[is_new]
        _, first, number = first_seen((levels << 40) | ids[is_new])
        before, self._group_count = self._group_count, self._group_count + len(first)
        groups[is_new] = before + number
        size = self._group_count
        self.group_level = grown(self.group_level, size, 0)
        self._group_id = grown(self._group_id, size, 0)
        self.channel_rows = grown(self.channel_rows, size, -1)
        self.primary_rows = grown(self.primary_rows, size, 0)
        self.group_level[before:size] = levels[first]
        self._group_id[before:size] = ids[is_new][first]
        for place, level in enumerate(_ORDER):
            at = is_new[:, place]
            self._group_of[level][ids[at, place]] = groups[at, place]
        for below, above in _PARENTS:
            at = is_new[:, below] & (groups[:, above] >= 0)
            children, once = np.unique(groups[at, below], return_index=True)
            self.members.add(groups[at, above][once], children)

    def _rows(self, groups: Ints, channels: Ints) -> Ints:
        """The rows, int32 [flows, 6], 0 where there is none; new ones are added."""
        there = groups >= 0
        rows = np.where(there, self.channel_rows[groups, channels[:, None]], 0)
        is_new = rows < 0
        if not is_new.any():
            return rows
        keys = (3 * groups + channels[:, None])[is_new]
        _, first, number = first_seen(keys)
        before, self.row_count = self.row_count, self.row_count + len(first)
        rows[is_new] = before + number
        group, channel = keys[first] // 3, keys[first] % 3
        self.channel_rows[group, channel] = np.arange(before, self.row_count)
        self.row_group = grown(self.row_group, self.row_count, 0)
        self.row_group[before : self.row_count] = group
        self.row_above = grown(self.row_above, self.row_count, 0)
        for below, above in _SHAPED_BY:
            self.row_above[rows[:, below]] = rows[:, above]
        self.row_above[0] = 0
        self._choose_primary(np.unique(group))
        return rows

    def _choose_primary(self, groups: Ints) -> None:
        is_delivering = np.isin(
            self.group_level[groups], [Level.TENANT_INTEGRATION, Level.INTEGRATION]
        )
        order = np.where(is_delivering[:, None], np.array(OUTBOUND), np.array(INBOUND))
        rows = np.take_along_axis(self.channel_rows[groups], order, axis=1)
        best = (rows >= 0).argmax(axis=1)
        self.primary_rows[groups] = rows[np.arange(len(groups)), best]

    def _channels(self) -> Ints:
        """By number of the stage."""
        return np.array([channel_of(stage) for stage in self._numbers.tags[4].known], np.int64)
