"""Whether we see at all: nothing from anyone for longer than the platform's own habit explains.

Time past the watermark is judged by two things: the gaps between lines that were usual, and how
many minutes with a message the platform's habit expects at this time of the week (a sparse fleet is
quiet at night). Never to have had a line is no incident, and neither is it while lines arrive that
are stamped in the past (a history is being loaded), or before senders had time to find us after a
start.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.sentences import at_utc, count_of, duration
from streamgauge.detect.shape import WEEK
from streamgauge.detect.silence import UNSEEN_NATS
from streamgauge.detect.sums import HOURS_KEPT
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.words import Kind, Severity, Suspected

_LEAST_S = 90.0
_STAGGER_S = 30.0
_SETTLE_S = 30.0
"""Loading a history has ended when nothing arrived for so long."""
_NATS_NEEDED = 7.0
_LAGS_KEPT = 200
_PATIENCE_S = 4 * 3600.0
"""The longest quiet of a sparse fleet that its first day cannot explain."""


@dataclass
class Blindness:
    """Tracks how far the watermark usually lags behind the clock, and when it is too far."""

    since: float | None = None
    """Epoch seconds of the newest line, while we are blind."""

    def __post_init__(self) -> None:
        self._lags: list[float] = []
        self._watermark = -np.inf
        self._at = -np.inf
        self._was_blind_since = 0.0
        self._heard_at = self._started_at = -np.inf

    def start(self, now: float) -> None:
        """The first turn after a restart: senders need time to find us again."""
        self._started_at = now

    def hear(self, now: float) -> None:
        """Something arrived since the last turn, whatever its time stamps."""
        self._heard_at = now

    def judge(self, now: float, seen: SeenTime, habit: Habit, platform_row: int | None) -> bool:
        """Whether the time since the watermark is not seen; `since` is set once that is told."""
        watermark = seen.watermark(now)
        self._note_lag(now, watermark)
        if watermark < now - HOURS_KEPT * 3600.0:
            self.since = None
            return False
        before, limit_s = self.since, self.limit_s(seen)
        is_unheard = now - self._heard_at > _SETTLE_S and now - self._started_at > limit_s
        is_blind = now - watermark > limit_s and self._is_implausible(
            watermark, now, seen, habit, platform_row
        )
        self.since = watermark if is_blind and (is_unheard or before is not None) else None
        if before is not None:
            self._was_blind_since = before
        return is_blind

    def restore(self, since: float | None) -> None:
        """We were blind before a restart."""
        if since is not None:
            self.since = self._was_blind_since = since

    def over_reason(self, now: float) -> str:
        """Why blindness ended, and how long it lasted."""
        return f"lines are reported again, after {duration(now - self._was_blind_since)}"

    def limit_s(self, seen: SeenTime) -> float:
        """How far the watermark may lag before it is looked at."""
        usual_s = 120.0 * seen.usual_gap_minutes + _STAGGER_S
        if seen.usual_gap_minutes > 1 or len(self._lags) < 20:
            return max(usual_s, _LEAST_S)
        return max(_LEAST_S, 1.25 * max(self._lags) + _STAGGER_S)

    def _note_lag(self, now: float, watermark: float) -> None:
        if watermark > self._watermark:
            lag = self._at - self._watermark
            if 0.0 <= lag < 150.0:
                self._lags = [*self._lags[-_LAGS_KEPT:], lag]
            self._watermark = watermark
        self._at = now

    def _is_implausible(
        self, watermark: float, now: float, seen: SeenTime, habit: Habit, row: int | None
    ) -> bool:
        if seen.coverage >= 0.97:
            return True
        if now - watermark < _patience_s(seen, watermark):
            return False
        if row is None or habit.active_minutes[row] < 20:
            return seen.density() >= 0.97 or now - watermark > 86_400.0
        nats = guessed = 0.0
        rows = np.array([row])
        for hour in range(int(watermark // 3600), int(now // 3600) + 1):
            seconds = min(now, (hour + 1) * 3600.0) - max(watermark, hour * 3600.0)
            here = float(habit.nats(rows, hour % WEEK)[0]) * seconds / 60.0
            if not habit.is_known(rows, hour % WEEK)[0]:
                guessed = min(guessed + here, UNSEEN_NATS)
            else:
                nats += here
            if nats + guessed > _NATS_NEEDED:
                return True
        return False


def _patience_s(seen: SeenTime, watermark: float) -> float:
    """How long quiet the first day of a fleet is given, beside what its gaps say.

    One that spoke every minute so far is given a quarter of the time it is known; of others too
    little is known to tell a pause from blindness.
    """
    first = seen.first_minute()
    known_s = watermark - 60.0 * first if first is not None else 0.0
    if known_s >= 86_400.0:
        return 0.0
    return 0.25 * known_s if seen.density() >= 0.97 else _PATIENCE_S


def blind_finding(since: float, now: float, tenant_count: int) -> Finding:
    """The one finding told while we are blind."""
    return Finding(
        Kind.BLIND,
        PLATFORM,
        Severity.P1,
        Suspected.COLLECTOR,
        since,
        f"Nothing has been reported by any sender since {at_utc(since, now)} "
        f"({duration(now - since)}): we cannot see whether messages flow. "
        f"{count_of(tenant_count, 'customer')} unknown; look at the reporting first.",
        {"last_line_at": since, "blind_s": round(now - since, 1), "customers": tenant_count},
    )
