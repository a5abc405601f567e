"""What is compared: how much was received, and how much of it ended, by the hour.

A *unit* is a (tenant, source, integration) for which messages are delivered; only units have state
here. What was received for it is, in this order: what was received with its integration's name;
what was received from its source; what was received from its customer. What a filter or an error
took out before it was bound for any integration was received for none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Channel, Levels

_SOURCE, _TENANT, _PLATFORM, _TENANT_INTEGRATION, _INTEGRATION = 1, 2, 3, 4, 5
"""Places in `Levels.flow_rows`; of flows that are not watched one by one some are empty."""
MOST = 1e13
"""Beyond it a count is a mistake."""
_NO_KEYS: Ints = np.zeros(0, np.int64)


@dataclass
class HourSums:
    """Messages of one hour: by unit, and by group for what is bound for no integration."""

    ends: Floats = field(default_factory=lambda: np.zeros(0))
    failed: Floats = field(default_factory=lambda: np.zeros(0))
    own: Floats = field(default_factory=lambda: np.zeros(0))
    """Received with the integration's name."""
    received: Floats = field(default_factory=lambda: np.zeros(0))
    """By group: sources and tenants."""
    ended_before: Floats = field(default_factory=lambda: np.zeros(0))
    """By group: failed or filtered before it was bound for an integration."""


@dataclass(frozen=True, slots=True)
class Closed:
    """One hour of units; arrays [n]."""

    units: Ints
    received: Floats
    ends: Floats
    passed: Floats
    """Ends that did not fail: a message that fails is often tried again, and ends twice."""
    pairing: Ints
    """int8: which of the three counts of what was received was taken."""


class Units:
    """Every unit, and the hours that are not settled yet.

    Four numbers a flow and five a unit are kept; an hour's sums are dropped once it is taken.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._keys, self._numbers = _NO_KEYS, _NO_KEYS
        self._unit_of_flow: Ints = np.full(64, -1, np.int32)
        self._channel_of_flow: Ints = np.zeros(64, np.int8)
        self._group_of_flow: Ints = np.zeros((64, 2), np.int32)
        """Its source's and its tenant's group."""
        self._flow_count = 0
        self.groups: Ints = np.zeros((64, 4), np.int32)
        """int32 [units, 4]: groups of source, tenant, (tenant, integration) and integration; -1 for
        the last two where messages are bound for no integration by name."""
        self._has_own: Bools = np.zeros(64, bool)
        self._is_delivered: Bools = np.zeros(64, bool)
        self.hours: dict[int, HourSums] = {}

    @property
    def count(self) -> int:
        """How many units there are."""
        return len(self._keys)

    def add(self, new: Arrivals) -> None:
        """Add messages to the hours in which they are stamped."""
        if not len(new):
            return
        self._know_flows()
        hours, counts = new.minute // 60, np.clip(new.counts, 0.0, MOST)
        is_out = new.has_failed | new.is_filtered
        for hour in np.unique(hours).tolist():
            some: slice | Ints = slice(None)
            if hours.min() != hours.max():
                some = np.flatnonzero(hours == hour)
            sums = self.hours.setdefault(hour, HourSums())
            self._add(sums, new.flows[some], counts[some], is_out[some], new.has_failed[some])

    def take(self, hour: int) -> Closed:
        """All units of an hour of which both stages are reported; the hour is forgotten."""
        sums = self.hours.pop(hour)
        self._make_room(sums)
        units, groups = np.arange(self.count), self.groups[: self.count]
        has_in = self._levels.channel_rows[:, Channel.IN] >= 0
        pairing = np.where(has_in[groups[:, 1]], 1, 0)
        pairing = np.where(has_in[groups[:, 0]], 2, pairing)
        pairing = np.where(self._has_own[: self.count], 3, pairing)
        at = np.where(pairing == 2, groups[:, 0], groups[:, 1])
        before = np.where(groups[:, 2] >= 0, sums.ended_before[at], 0.0)
        received = np.maximum(sums.received[at] - before, 0.0)
        received = np.where(pairing == 3, sums.own[: self.count], received)
        received = np.minimum(received, MOST)
        ends = np.minimum(sums.ends[: self.count], MOST)
        there = self._is_delivered[: self.count] & (pairing > 0) & ((received > 0) | (ends > 0))
        passed = np.maximum(ends - sums.failed[: self.count], 0.0)
        return Closed(
            units[there],
            received[there],
            ends[there],
            passed[there],
            pairing[there].astype(np.int8),
        )

    def _add(
        self, sums: HourSums, flows: Ints, counts: Floats, is_out: Bools, has_failed: Bools
    ) -> None:
        self._make_room(sums)
        unit, channel = self._unit_of_flow[flows], self._channel_of_flow[flows]
        is_watched = unit >= 0
        is_end = is_watched & ((channel == Channel.OUT) | is_out)
        np.add.at(sums.ends, unit[is_end], counts[is_end])
        lost = is_end & has_failed
        np.add.at(sums.failed, unit[lost], counts[lost])
        is_in = is_watched & (channel == Channel.IN)
        np.add.at(sums.own, unit[is_in], counts[is_in])
        bound = self.groups[np.maximum(unit, 0), 2] >= 0
        self._has_own[unit[is_in & bound]] = True
        early = is_end & ~bound & (channel != Channel.OUT)
        for place in (0, 1):
            group = self._group_of_flow[flows, place]
            np.add.at(sums.received, group[is_in], counts[is_in])
            np.add.at(sums.ended_before, group[early], counts[early])

    def _make_room(self, sums: HourSums) -> None:
        for name in ("ends", "failed", "own"):
            setattr(sums, name, _at_least(getattr(sums, name), self.count))
        for name in ("received", "ended_before"):
            setattr(sums, name, _at_least(getattr(sums, name), len(self._levels.groups)))

    def _know_flows(self) -> None:
        """Find the unit of flows never seen before, all at once."""
        first, count = self._flow_count, len(self._levels.flows)
        if count == first:
            return
        levels, self._flow_count = self._levels, count
        rows = levels.flow_rows[first:count]
        groups = np.where(rows > 0, levels.row_group[rows], -1)
        own_row, source = rows[:, 0], groups[:, _SOURCE]
        is_watched = (rows[:, _SOURCE] > 0) & (rows[:, _PLATFORM] > 0)
        channel = np.argmax(levels.channel_rows[groups[:, 0]] == own_row[:, None], axis=1)
        keys = (np.maximum(source, 0).astype(np.int64) << 32) | (
            groups[:, _TENANT_INTEGRATION].astype(np.int64) + 1
        )
        tree = groups[:, [_SOURCE, _TENANT, _TENANT_INTEGRATION, _INTEGRATION]]
        self._know_units(keys[is_watched], tree[is_watched])
        unit = np.full(len(rows), -1, np.int32)
        unit[is_watched] = self._number(keys[is_watched])
        self._unit_of_flow = grown(self._unit_of_flow, count, -1)
        self._channel_of_flow = grown(self._channel_of_flow, count, 0)
        self._group_of_flow = grown(self._group_of_flow, count, 0)
        self._unit_of_flow[first:count], self._channel_of_flow[first:count] = unit, channel
        self._group_of_flow[first:count] = tree[:, :2]
        self._is_delivered[unit[is_watched & (channel == Channel.OUT)]] = True

    def _know_units(self, keys: Ints, tree: Ints) -> None:
        distinct, place = np.unique(keys, return_index=True)
        is_new = ~np.isin(distinct, self._keys, assume_unique=True)
        fresh, place = distinct[is_new], place[is_new]
        known, total = self.count, self.count + len(fresh)
        self.groups = grown(self.groups, total, 0)
        self._has_own = grown(self._has_own, total, 0)
        self._is_delivered = grown(self._is_delivered, total, 0)
        self.groups[known:total] = tree[place]
        every = np.concatenate([self._keys, fresh])
        order = np.argsort(every, kind="stable")
        self._keys = every[order]
        self._numbers = np.concatenate([self._numbers, np.arange(known, total)])[order]

    def _number(self, keys: Ints) -> Ints:
        return self._numbers[np.searchsorted(self._keys, keys)]


def _at_least(array: Floats, size: int) -> Floats:
    return array if len(array) >= size else grown(array, size, 0)
