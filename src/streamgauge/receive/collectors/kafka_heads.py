"""When the oldest waiting messages of Kafka's groups were put: each is read where it stands.

One consumer reads all of them: its partitions are assigned, no group is joined.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import Consumer, TopicPartition

MAX_HEADS = 200
"""Partitions whose oldest message is read at one look, those that lag most first."""
HEADS_S = 2.0
"""What reading them may take."""
Place = tuple[str, int]
"""Topic and partition."""
Heads = dict[tuple[str, int, int], float]
"""Epoch seconds, by topic, partition and offset."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition, as one group stands in it."""

    low: int
    """Offset of the oldest message that is kept."""
    high: int
    """Offset of the next one that comes."""
    committed: int
    """Offset of the next one that the group takes."""

    @property
    def next(self) -> int:
        """The first message that waits: what was deleted unread does not."""
        return min(max(self.committed, self.low), self.high)

    @property
    def lag(self) -> int:
        """Messages that wait."""
        return self.high - self.next


def put_at(reader: Consumer, standing: Mapping[tuple[str, str], Mapping[int, Partition]]) -> Heads:
    """As far as it can be read in time. Blocks.

    Args:
        reader: reads them.
        standing: partitions by number, by topic and group.
    """
    lags: dict[Place, dict[int, int]] = defaultdict(dict)
    for (topic, _), partitions in standing.items():
        for number, one in partitions.items():
            if one.lag:
                lags[topic, number][one.next] = one.lag
    wanted = [(place, at) for place, offsets in lags.items() for at in offsets]
    wanted.sort(key=lambda one: -lags[one[0]][one[1]])
    found: Heads = {}
    until = time.monotonic() + HEADS_S
    for some in _rounds(wanted[:MAX_HEADS]):
        if time.monotonic() > until:
            break
        found |= _read(reader, some, until)
    return found


def _rounds(wanted: Sequence[tuple[Place, int]]) -> list[dict[Place, int]]:
    """Each partition once a round: a consumer has one position in it."""
    rounds: list[dict[Place, int]] = []
    for place, offset in wanted:
        for some in rounds:
            if place not in some:
                some[place] = offset
                break
        else:
            rounds.append({place: offset})
    return rounds


def _read(reader: Consumer, wanted: Mapping[Place, int], until: float) -> Heads:
    """The first message of each, as far as they come in time."""
    reader.assign([TopicPartition(*place, offset) for place, offset in wanted.items()])
    found: Heads = {}
    missing = dict(wanted)
    while missing and (left_s := until - time.monotonic()) > 0:
        for message in reader.consume(len(missing), timeout=min(left_s, 0.5)):
            place = message.topic(), message.partition()
            if message.error() or place not in missing:
                continue
            kind, stamp_ms = message.timestamp()
            offset = missing.pop(place)
            if kind:
                found[(*place, offset)] = stamp_ms / 1e3
            reader.incremental_unassign([TopicPartition(*place)])
    reader.unassign()
    return found
