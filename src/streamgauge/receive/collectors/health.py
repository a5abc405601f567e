"""How all gatherers are doing: one registry, in which each has a pulse of its own.

A gatherer tells its pulse how each try went; pages, API, `/metrics` and detection read. Threads may
share both.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from streamgauge.model.clock import Clock
from streamgauge.model.gatherer import Fault, GathererHealth, GathererState, QueueReading


class Pulse:
    """Of one gatherer."""

    def __init__(self, health: GathererHealth, clock: Clock) -> None:
        self._health, self._clock = health, clock
        self._lock = threading.Lock()

    @property
    def health(self) -> GathererHealth:
        """As of the last try."""
        return self._health

    def succeeded(self, queues: Sequence[QueueReading] = ()) -> None:
        """All that was to be seen was seen, but for queues that have a `problem`."""
        now = self._clock.now()
        trouble = [one for one in queues if one.problem]
        with self._lock:
            before = self._health
            counted = replace(
                before,
                reads_total=before.reads_total + 1,
                queues=tuple(queues),
                last_success_at=now,
            )
            if trouble:
                text = _partly(trouble, len(queues))
                self._health = _failed(counted, now, Fault.GONE, text)
            else:
                since = before.since if before.state is GathererState.OK else now
                self._health = replace(
                    counted, state=GathererState.OK, since=since, failed_in_a_row=0
                )

    def failed(self, fault: Fault, text: str) -> None:
        """Nothing was seen; `text` is for people and has no secret in it."""
        now = self._clock.now()
        with self._lock:
            counted = replace(self._health, reads_total=self._health.reads_total + 1)
            whole = replace(
                counted, queues=tuple(replace(one, problem="") for one in counted.queues)
            )
            self._health = _failed(whole, now, fault, text)

    def lost(self, count: int) -> None:
        """Of what came so much more was lost; its senders do not know."""
        with self._lock:
            total = (self._health.lost_total or 0) + count
            self._health = replace(self._health, lost_total=total)


def _failed(health: GathererHealth, now: float, fault: Fault, text: str) -> GathererHealth:
    is_new = health.state is not GathererState.FAILING
    since = (health.last_success_at or now) if is_new else health.since
    return replace(
        health,
        state=GathererState.FAILING,
        since=since,
        fault=fault,
        last_error=text,
        last_error_at=now,
        failed_in_a_row=health.failed_in_a_row + 1,
        failures_total=health.failures_total + 1,
    )


def _partly(trouble: Sequence[QueueReading], count: int) -> str:
    told = "; ".join(f"{one.queue}: {one.problem}" for one in trouble[:3])
    more = f"; and {len(trouble) - 3} more" if len(trouble) > 3 else ""
    return f"{len(trouble)} of {count} queues cannot be read: {told}{more}"


class GathererRegistry:
    """All gatherers of this process, in the order in which they were added, and those of others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pulses: dict[str, Pulse] = {}
        self._others: Mapping[str, GathererHealth] = {}

    def add(self, name: str, kind: str, address: str, every_s: float | None = None) -> Pulse:
        """A pulse of a new one; a name that is taken gets a number.

        Args:
            name: as people call it.
            kind: what it speaks.
            address: where, without user and password.
            every_s: between two tries; None: it listens.
        """
        unique, number = name, 1
        while unique in self._pulses:
            number += 1
            unique = f"{name}-{number}"
        pulse = Pulse(GathererHealth(unique, kind, address, every_s), self._clock)
        self._pulses[unique] = pulse
        return pulse

    def others(self, told: Mapping[str, GathererHealth]) -> None:
        """Other processes gather these, by name, and say how they are doing."""
        self._others = told

    def here(self) -> list[GathererHealth]:
        """How those are doing that no other process gathers."""
        others, own = self._others, list(self._pulses.values())
        return [pulse.health for pulse in own if pulse.health.name not in others]

    def all(self) -> list[GathererHealth]:
        """How each is doing, here or in another process."""
        others = self._others
        own = [others.get(pulse.health.name, pulse.health) for pulse in list(self._pulses.values())]
        known = {health.name for health in own}
        return [*own, *(health for name, health in others.items() if name not in known)]
