"""How much could be handled, how much room is left, and until when.

1. Of each queue: the most that its consumers sustained while work waited (`capacity_seen`).
2. Of an integration, and of the platform: a queue takes V messages for each that is delivered; by
   the utilisation law its use at a throughput of X is X·V / capacity, and the queue that is used
   most is the limit: X_max = min of capacity / V. Queues of one customer are no limit of others.
3. The busiest hour of each day, grown on, meets it at a day (`capacity_forecast`).

A limit is told only where it is proven: where nothing near it was ever reached while no work
waited.

Source: Denning & Buzen, ACM Computing Surveys 10 (1978), operational laws and bottlenecks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.capacity_forecast import reach
from streamgauge.detect.capacity_loads import Loads
from streamgauge.detect.capacity_seen import QueueCapacity
from streamgauge.detect.capacity_words import Headroom, capacity_finding, key_of
from streamgauge.detect.levels import Levels
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Kind, Severity

Tags = tuple[str, str, str, str]
_LOOK_S = 60.0
_TICKET_DAYS = 14.0
_PRESSING_DAYS = 2.0
_HELD = 1.5
"""What is told ends only when its time has moved so many times as far away."""
_FULL = 0.95
_FULL_NO_MORE = 0.85
_FULL_LOOKS = 10
_LEAST_PER_S = 1e-6


class Capacities:
    """Of all queues, integrations, and the platform."""

    def __init__(
        self, levels: Levels, queues: Callable[[], Iterable[tuple[Tags, QueueCapacity]]]
    ) -> None:
        self._loads, self._queues = Loads(levels), queues
        self.figures: Mapping[Scope, Headroom] = {}
        """By scope; a new mapping at each look, so that others may read it at any time."""
        self._looked_at = -np.inf
        self._since: dict[str, float] = {}
        self._full_looks: dict[str, int] = {}
        self._found: list[Finding] = []
        self.ended: dict[str, str] = {}

    def learn(self, hours: Arrivals) -> None:
        """Take history of which the single minutes are not known any more, oldest first."""
        self._loads.add(hours)

    def observe(self, arrivals: Arrivals) -> None:
        """Take what was inserted."""
        self._loads.add(arrivals)

    def restore(self, since_by_key: Mapping[str, float]) -> None:
        """What was told before a restart ends no sooner than it would have."""
        self._since |= {k: s for k, s in since_by_key.items() if k.startswith(Kind.CAPACITY)}

    def judge(self, turn: Turn) -> list[Finding]:
        """All findings that hold now; looked at once a minute."""
        self.ended = {}
        if turn.is_blind or not abs(turn.now - self._looked_at) >= _LOOK_S:
            return self._found
        self._looked_at = turn.now
        rooms = self._rooms(turn.now)
        best: dict[Scope, Headroom] = {}
        for room in rooms:
            if room.scope not in best or room.per_s < best[room.scope].per_s:
                best[room.scope] = room
        self.figures = best
        found = {key_of(room.scope, room.queue): (room, self._severity(room)) for room in rooms}
        self._found = []
        for key, (room, severity) in found.items():
            if severity is not None:
                since = self._since.setdefault(key, turn.now)
                self._found.append(capacity_finding(room, severity, since, turn.now))
        told = {finding.key for finding in self._found}
        for key in [key for key in self._since if key not in told]:
            del self._since[key]
            self.ended[key] = "there is room again"
        return self._found

    def _rooms(self, now: float) -> list[Headroom]:
        scopes, hour = self._loads.scopes(), int(now // 3600)
        known = []
        for tags, queue in self._queues():
            name, _, integration, tenant = tags
            feasible = queue.feasible()
            if feasible is None or feasible.per_s < _LEAST_PER_S or tenant:
                continue
            own = Scope(integration=integration) if integration else PLATFORM
            for scope in dict.fromkeys((own, PLATFORM)):
                place = scopes.get(scope)
                visits = 0.0 if place is None else self._visits(queue, place, hour)
                if place is None or visits <= 0.0:
                    continue
                per_s = feasible.per_s / visits
                peaks = self._loads.peaks_per_s(place, hour)
                used = queue.in_per_s / feasible.per_s
                known.append(
                    Headroom(
                        scope,
                        name,
                        queue.consumers,
                        feasible,
                        float(per_s),
                        float(round(used, 4)) if np.isfinite(used) else None,
                        reach(peaks, float(per_s)),
                        86_400.0 * (hour // 24),
                    )
                )
        return known

    def _visits(self, queue: QueueCapacity, place: int, hour: int) -> float:
        """How many messages come to a queue for each that is delivered; 0: not known."""
        hours, came = queue.came_per_s(hour)
        delivered = self._loads.per_s(place, hours).sum()
        return float(came.sum() / delivered) if delivered > 0.0 else 0.0

    def _severity(self, room: Headroom) -> Severity | None:
        """None: nothing to tell."""
        key = key_of(room.scope, room.queue)
        if not room.feasible.is_proven or (
            room.scope == PLATFORM and self._is_of_integration(room)
        ):
            return None
        patience = _HELD if key in self._since else 1.0
        days = None if room.reach is None else room.reach.days
        if self._is_full(key, room.utilization_ratio):
            return Severity.P3
        if days is not None and days <= _PRESSING_DAYS:
            return Severity.P3
        return Severity.P4 if days is not None and days <= patience * _TICKET_DAYS else None

    def _is_of_integration(self, room: Headroom) -> bool:
        """Whether the platform's limit is that of one integration, which is told by its name."""
        return any(s != PLATFORM and r.queue == room.queue for s, r in self.figures.items())

    def _is_full(self, key: str, used: float | None) -> bool:
        limit = _FULL_NO_MORE if self._full_looks.get(key, 0) >= _FULL_LOOKS else _FULL
        if used is None or used < limit:
            self._full_looks.pop(key, None)
            return False
        self._full_looks[key] = self._full_looks.get(key, 0) + 1
        return self._full_looks[key] >= _FULL_LOOKS
