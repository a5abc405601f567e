"""The hours that habits are fitted from: what each flow counted in which hour, and in what minutes.

They are many, so they are kept outside of what every tick touches: in the store's rollups where
there is a store (`Past`), else here, in arrays of flows that spoke (`KeptHours`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals

HOURS_KEPT = 35 * 24
_PARTS_BEFORE_SUM = 16
_MASKS = 256
_FEW = 16
"""One in so many is looked up, more are looked through."""


@dataclass(frozen=True, slots=True)
class FlowHours:
    """Sums by flow and hour, in any order, several of one flow and hour add up; all [n]."""

    hour: Ints
    """Hours since the epoch (event time)."""
    flow: Ints
    """Numbers of `Levels.flows`."""
    count: Floats
    """float32: messages."""
    failed: Floats
    """float32: those of them that failed."""
    minutes: Array
    """uint64: a bit for each minute of the hour with a message."""

    def __len__(self) -> int:
        """How many."""
        return len(self.hour)

    def part(self, at: Array) -> FlowHours:
        """Some of them, by place or by mask."""
        return FlowHours(
            self.hour[at], self.flow[at], self.count[at], self.failed[at], self.minutes[at]
        )

    @classmethod
    def joined(cls, parts: list[FlowHours]) -> FlowHours:
        """All parts, one after the other."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            np.concatenate([_NO_INTS, *(part.hour for part in parts)]),
            np.concatenate([_NO_INTS, *(part.flow for part in parts)]),
            np.concatenate([_NO_FLOATS, *(part.count for part in parts)]),
            np.concatenate([_NO_FLOATS, *(part.failed for part in parts)]),
            np.concatenate([_NO_BITS, *(part.minutes for part in parts)]),
        )


_NO_INTS: Ints = np.zeros(0, np.int32)
_NO_FLOATS: Floats = np.zeros(0, np.float32)
_NO_BITS: Array = np.zeros(0, np.uint64)


class Past(Protocol):
    """Whoever keeps the hours."""

    def known_hours(self) -> list[int]:
        """The hours in which anything was counted, ascending."""
        ...

    def failing(self, hour: int) -> Ints:
        """The flows with a failure in an hour."""
        ...

    def add(self, new: Arrivals) -> None:
        """Take minutes that were inserted; whoever reads a store's rollups has them anyway."""
        ...

    def learn(self, hours: Arrivals) -> None:
        """The same of hours of which the single minutes are not known."""
        ...

    def forget_before(self, hour: int) -> None:
        """Older hours are not asked for any more."""
        ...

    def hours(self, flows: Ints | None, from_hour: int, until_hour: int) -> Iterable[FlowHours]:
        """What `flows` (None: all of them) counted, whole customers at a time.

        Args:
            flows: all flows of some customers.
            from_hour: the first one.
            until_hour: the last one.
        """
        ...


class KeptHours:
    """Answers `Past` from memory: 20 bytes for each flow and hour with a message."""

    def __init__(self) -> None:
        self._hours: dict[int, list[FlowHours]] = {}
        self._known: set[int] = set()
        """The hours in which anything was counted."""
        self._in_order: set[int] = set()
        """Those that are one part, with flows ascending, each once."""
        self._now = -1
        """The newest hour: sums [flows] of it are dense."""
        self._count: Floats = np.zeros(64, np.float32)
        self._failed: Floats = np.zeros(64, np.float32)
        self._minutes: Array = np.zeros(64, np.uint64)

    def known_hours(self) -> list[int]:
        """The hours in which anything was counted, ascending."""
        return sorted(self._known)

    def failing(self, hour: int) -> Ints:
        """The flows with a failure in an hour."""
        if hour == self._now:
            return np.flatnonzero(self._failed)
        if hour not in self._hours:
            return np.zeros(0, np.int32)
        part = self._summed(hour)
        return part.flow[np.flatnonzero(part.failed)]

    def add(self, new: Arrivals) -> None:
        """Add minutes."""
        failed = np.where(new.has_failed, new.counts, 0.0).astype(np.float32)
        bit = np.left_shift(np.uint64(1), (new.minute % 60).astype(np.uint64))
        self._add(new.minute // 60, new.flows, new.counts.astype(np.float32), failed, bit)

    def learn(self, hours: Arrivals) -> None:
        """Add hours; which of their minutes had a message is made up."""
        if hours.active_minutes is None:
            return
        failed = np.where(hours.has_failed, hours.counts, 0.0).astype(np.float32)
        hour = hours.minute // 60
        minutes = some_minutes(hours.active_minutes, hour + 7919 * hours.flows.astype(np.int64))
        self._add(hour, hours.flows, hours.counts.astype(np.float32), failed, minutes)

    def forget_before(self, hour: int) -> None:
        """Drop older hours."""
        for old in [at for at in self._known if at < hour]:
            self._hours.pop(old, None)
            self._known.discard(old)
            self._in_order.discard(old)

    def hours(self, flows: Ints | None, from_hour: int, until_hour: int) -> Iterable[FlowHours]:
        """All at once: it is in memory anyway."""
        parts = [
            self._summed(hour) for hour in sorted(self._hours) if from_hour <= hour <= until_hour
        ]
        if flows is not None:
            flows = np.unique(flows)
            parts = [part.part(_places(part.flow, flows)) for part in parts]
        if from_hour <= self._now <= until_hour:
            parts.append(self._running(flows))
        yield FlowHours.joined(parts)

    @property
    def nbytes(self) -> int:
        """What it takes in memory."""
        return sum(24 * len(part) for parts in self._hours.values() for part in parts)

    def _add(self, hour: Ints, flow: Ints, count: Floats, failed: Floats, bits: Array) -> None:
        if not len(hour):
            return
        newest = int(hour.max())
        self._known.update(np.unique(hour).tolist())
        if newest > self._now:
            self._close(newest)
        is_now = hour == self._now
        self._add_now(flow, count, failed, bits, is_now)
        if not is_now.all():
            old = FlowHours(hour.astype(np.int32), flow, count, failed, bits).part(~is_now)
            order = np.argsort(old.hour, kind="stable")
            distinct, starts = np.unique(old.hour[order], return_index=True)
            for at, places in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
                parts = self._hours.setdefault(at, [])
                parts.append(old.part(places))
                self._in_order.discard(at)
                if len(parts) > _PARTS_BEFORE_SUM:
                    self._summed(at)

    def _add_now(
        self, flow: Ints, count: Floats, failed: Floats, bits: Array, is_now: Bools
    ) -> None:
        if not is_now.all():
            flow, count, failed, bits = flow[is_now], count[is_now], failed[is_now], bits[is_now]
        size = int(flow.max(initial=0)) + 1
        self._count, self._failed = grown(self._count, size, 0), grown(self._failed, size, 0)
        self._minutes = grown(self._minutes, size, 0)
        np.add.at(self._count, flow, count)
        if failed.any():
            np.add.at(self._failed, flow, failed)
        np.bitwise_or.at(self._minutes, flow, bits)

    def _close(self, newest: int) -> None:
        """The newest hour is another one."""
        if self._now >= 0:
            parts = self._hours.setdefault(self._now, [])
            parts.append(self._running())
            (self._in_order.discard if parts[1:] else self._in_order.add)(self._now)
            for sums in (self._count, self._failed, self._minutes):
                sums[:] = 0
        self._now = newest

    def _running(self, flows: Ints | None = None) -> FlowHours:
        if flows is None:
            flow = np.flatnonzero(self._minutes).astype(np.int32)
        else:
            flows = flows[: np.searchsorted(flows, len(self._minutes))]
            flow = flows[np.flatnonzero(self._minutes[flows])].astype(np.int32)
        hour = np.full(len(flow), self._now, np.int32)
        sums = self._count[flow], self._failed[flow], self._minutes[flow]
        return FlowHours(hour, flow, *sums)

    def _summed(self, hour: int) -> FlowHours:
        """All parts of an hour as one, in which each flow stands once."""
        parts = self._hours[hour]
        if hour not in self._in_order:
            every = FlowHours.joined(parts)
            flow, place = np.unique(every.flow, return_inverse=True)
            minutes: Array = np.zeros(len(flow), np.uint64)
            np.bitwise_or.at(minutes, place, every.minutes)
            count = np.bincount(place, every.count, len(flow)).astype(np.float32)
            failed = np.bincount(place, every.failed, len(flow)).astype(np.float32)
            hours = np.full(len(flow), hour, np.int32)
            self._hours[hour] = [FlowHours(hours, flow.astype(np.int32), count, failed, minutes)]
            self._in_order.add(hour)
        return self._hours[hour][0]


def _places(flow: Ints, wanted: Ints) -> Ints:
    """Where those of `wanted` stand that are among `flow`; both ascend."""
    if len(flow) and len(wanted) > len(flow) // _FEW:
        is_wanted = np.zeros(max(int(wanted[-1]), int(flow[-1])) + 1, bool)
        is_wanted[wanted] = True
        return np.flatnonzero(is_wanted[flow])
    place = np.searchsorted(flow, wanted)
    place = place[: np.searchsorted(place, len(flow))]
    found: Ints = place[flow[place] == wanted[: len(place)]]
    return found


def _masks() -> Array:
    """uint64 [_MASKS, 61]: so many bits, each row in an order of its own."""
    rng = np.random.default_rng(60)
    orders = rng.permuted(np.tile(np.arange(60, dtype=np.uint64), (_MASKS, 1)), axis=1)
    bits = np.left_shift(np.uint64(1), orders)
    return np.concatenate([np.zeros((_MASKS, 1), np.uint64), np.cumsum(bits, axis=1)], axis=1)


_SOME_MINUTES = _masks()


def some_minutes(count: Ints, seed: Ints) -> Array:
    """A bit for each of `count` [n] minutes of an hour, as if they fell by chance."""
    mixed = (seed.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(56)
    return np.asarray(_SOME_MINUTES[mixed.astype(np.int64), np.clip(count, 0, 60).astype(np.int64)])
