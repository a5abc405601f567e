"""Says how near a pipeline is to what it can take, and when it will be there."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.detect.capacity_forecast import Reach
from streamgauge.detect.capacity_seen import Feasible
from streamgauge.detect.sentences import at_utc, count_of, number, share
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Headroom:
    """What one scope can take, as its narrowest queue has shown."""

    scope: Scope
    queue: str
    consumers: int
    """Below zero: not told."""
    feasible: Feasible
    """Of that queue."""
    per_s: float
    """Messages a second of the scope when that queue is at its limit."""
    utilization_ratio: float | None
    """What comes to that queue now, of what it can take."""
    reach: Reach | None
    """Peaks in messages a second of the scope; None: fewer than two weeks are known."""
    at: float
    """Epoch seconds from which its days count."""

    @property
    def reached_at(self) -> float | None:
        """Epoch seconds."""
        days = None if self.reach is None else self.reach.days
        return None if days is None else self.at + DAY_S * days


def key_of(scope: Scope, queue: str) -> str:
    """The key of its finding."""
    return Finding(
        Kind.CAPACITY, scope, Severity.P4, Suspected.PLATFORM, 0.0, "", subject=queue
    ).key


def capacity_finding(room: Headroom, severity: Severity, since: float, now: float) -> Finding:
    """What holds of one scope: full now, or to be full in some days."""
    return Finding(
        Kind.CAPACITY,
        room.scope,
        severity,
        Suspected.PLATFORM,
        since,
        _sentence(room, now),
        _evidence(room),
        (),
        room.queue,
    )


def _sentence(room: Headroom, now: float) -> str:
    who = room.scope.describe()
    who = who[:1].upper() + who[1:]
    limit = f"queue {room.queue} sustained at most {number(room.feasible.per_s)} messages a second"
    if room.consumers > 0:
        limit += f" with {count_of(room.consumers, 'consumer')}"
    used, reach = room.utilization_ratio, room.reach
    full = f"{who} uses {share(used)} of its capacity" if used is not None and used > 0.95 else ""
    if reach is None or room.reached_at is None:
        return f"{full or who}: {limit}; what comes beyond it waits."
    growth = f"grows by {share(7.0 * reach.growth_per_day)} a week"
    load = f"its busiest hour brings {number(reach.peak)} messages a second and {growth}"
    when = f"is full at its busiest hour {_when(room, reach, now)}"
    return f"{full + ', and ' if full else who + ' '}{when}: {load}; {limit}."


def _when(room: Headroom, reach: Reach, now: float) -> str:
    if not reach.days:
        return "already"
    early = round(reach.early_days or 0.0)
    late = "a year or more" if reach.late_days is None else f"{reach.late_days:.0f}"
    at = room.reached_at or now
    return f"from {at_utc(at, now).partition(' ')[0]} {_date(at, now)} on ({early} to {late} days)"


def _date(at: float, now: float) -> str:
    words = at_utc(at, now).split(" ")
    return " ".join(words[1:3]) if len(words) > 3 else words[-1]


def _evidence(room: Headroom) -> Evidence:
    reach = room.reach
    found: dict[str, str | float | int | None] = {
        "queue": room.queue,
        "capacity_per_s": round(room.per_s, 2),
        "capacity_per_hour": round(3600.0 * room.per_s),
        "queue_capacity_per_s": round(room.feasible.per_s, 2),
        "basis": room.feasible.basis,
        "consumers": room.consumers if room.consumers >= 0 else None,
        "utilization_ratio": room.utilization_ratio,
    }
    if reach is None:
        return found
    early, late = reach.early_days, reach.late_days
    return found | {
        "peak_per_s": round(reach.peak, 2),
        "peak_utilization_ratio": round(reach.peak / room.per_s, 4),
        "growth_per_week_ratio": round(7.0 * reach.growth_per_day, 4),
        "reached_at": room.reached_at,
        "reached_early_at": None if early is None else room.at + DAY_S * early,
        "reached_late_at": None if late is None else room.at + DAY_S * late,
    }
