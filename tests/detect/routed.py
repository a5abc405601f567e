"""A fleet whose messages come through routers: which one, per customer and minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from fleet import TAGS, Fleet, _tag
from streamgauge.model.feed import Delta, History
from streamgauge.store.rollup.routerrollup import router_hours

LOST = -1
"""The router of a message that never came: it had stopped."""
UNNAMED = -2
"""Sent without any."""


@dataclass
class Routed:
    """A fleet, and the way that each of its messages takes."""

    fleet: Fleet
    names: list[str]
    way: np.ndarray
    """[senders, minutes] place in `names`, LOST or UNNAMED."""
    pulses: dict[str, list[int]] = field(default_factory=dict)
    """Minutes (of the fleet) in which a router says that it lives, in a line of its own."""

    def __post_init__(self) -> None:
        self.fleet.ok[self.way == LOST] = 0
        self.fleet.failed[self.way == LOST] = 0

    @property
    def start(self) -> int:
        return self.fleet.start

    @property
    def stamp_s(self) -> float:
        return self.fleet.stamp_s

    def delta(self, first: int = 0, last: int | None = None) -> Delta:
        last = self.fleet.minutes if last is None else last
        delta = self.fleet.delta(first, last)
        routers = self.routers(first, last)
        newest = [delta.newest_ns, *routers["last_ns"].to_pylist()]
        return replace(delta, routers=routers, newest_ns=max(newest))

    def history(self, until: int) -> History:
        past = self.fleet.history(until)
        routers = self.routers(max(until - 1440, 0), until)
        if not routers.num_rows:
            return past
        hours = router_hours(routers.unify_dictionaries().combine_chunks())
        return replace(past, routers=hours)

    def routers(self, first: int, last: int) -> pa.Table:
        """ROUTERS_COLUMNS of a range of minutes."""
        counts = (self.fleet.ok + self.fleet.failed)[:, first:last]
        who, when = np.nonzero((counts > 0) & (self.way[:, first:last] >= 0))
        flows = [s.flow for s in self.fleet.senders]
        alive = [(n, m) for n, ms in self.pulses.items() for m in ms if first <= m < last]
        flow_at = np.append(who, np.full(len(alive), len(flows)))
        names = [*self.names, *self.pulses]
        routers = [*self.way[who, first + when], *(names.index(name) for name, _ in alive)]
        minutes = self.start + np.append(first + when, [m for _, m in alive]).astype(np.int64)
        stamps = minutes * 60_000_000_000 + int(self.stamp_s * 1e9)
        count = np.append(counts[who, when], np.zeros(len(alive), np.int64)).astype(np.uint64)
        return pa.table(
            {
                "minute": minutes,
                "router": _tag(names, np.array(routers, np.int64)),
                **{
                    tag: _tag([*(str(getattr(f, tag)) for f in flows), ""], flow_at) for tag in TAGS
                },
                "count": count,
                "last_ns": stamps,
            }
        )


def sticky(senders: int, minutes: int, routers: int) -> np.ndarray:
    """Each customer comes through one and the same router."""
    return np.repeat((np.arange(senders) % routers)[:, None], minutes, axis=1)


def in_turn(senders: int, minutes: int, routers: int) -> np.ndarray:
    """Each message comes through the next router."""
    return (np.arange(senders)[:, None] + np.arange(minutes)[None, :]) % routers


def rolled(way: np.ndarray, at: Iterable[tuple[int, int, int]]) -> np.ndarray:
    """At each (minute, old router, new router) the new one takes all over."""
    way = way.copy()
    for minute, old, new in at:
        after = way[:, minute:]
        after[after == old] = new
    return way


def names(count: int) -> list[str]:
    return [f"r{number}" for number in range(count)]
