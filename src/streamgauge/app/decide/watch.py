"""The loop that decides: every tick, from what was stored to what people must know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog

from streamgauge.app.decide.judge import Judge
from streamgauge.detect.expectations import Expectations
from streamgauge.model.change import Change, Routing
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta, Feed
from streamgauge.model.flow import Scope
from streamgauge.model.router import RouterStatus
from streamgauge.model.views import CapacityFigures, Filters
from streamgauge.state.state import State
from streamgauge.web.ports import Expectation

log = structlog.get_logger()

LATE_S = 15.0
"""Lines that wait longer than any segment does under load are waiting for an engine."""
LEARN_AGAIN_S = 1.0


class Watch:
    """Runs the judge over the feed and keeps what it decides, before anyone is told.

    Time ends for it where knowledge does: while lines that came long ago wait for the engine, it
    decides as of the moment the first of them came. So nobody is declared silent, and nothing
    blind, for what we have but cannot read; when the engine is back, it catches up.

    One turn:
        1. Take what was inserted since the last turn; if the feed overflowed, learn anew.
        2. Decide.
        3. Keep incidents and the notifications they need in one transaction.
        4. Only then go on from them, so that a failed turn is simply made again.
    """

    def __init__(
        self,
        feed: Feed,
        judge: Judge,
        state: State,
        routing: Routing,
        clock: Clock,
        tick_s: float,
        waiting_since: Callable[[], float | None] = lambda: None,
        may_decide: Callable[[], bool] = lambda: True,
        said: Callable[[], Expectations] | None = None,
    ) -> None:
        """Nothing runs before `start`.

        Args:
            feed: What was stored.
            judge: What decides.
            state: Keeps incidents.
            routing: Who is told.
            clock: Tells the time.
            tick_s: Between two turns.
            waiting_since: When the oldest line came that the feed does not hold yet.
            may_decide: Asked before each turn: of several processes one decides.
            said: Asked at each turn what people say of flows; None: what the detector was given.
        """
        self._may_decide, self._said = may_decide, said
        self._feed, self._judge, self._state, self._routing = feed, judge, state, routing
        self._clock, self._tick_s = clock, tick_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._lock = threading.Lock()
        self._must_learn = self._has_learned = False
        self._waiting_since = waiting_since
        self._decided_at = 0.0
        self.turns_total = 0
        self.failed_total = 0
        self.last_turn_s = 0.0
        self.last_error = ""
        """Why the last turn failed; empty when it did not."""

    def learn(self) -> None:
        """Build what detection knows from the rollups, and take up the incidents that are open."""
        now = self._clock.now()
        self._judge.detector.learn(self._feed.history(now))
        self._must_learn, self._has_learned = False, True
        self._take_up_incidents(now)
        self._judge.detector.restore(
            [(incident.key, incident.since) for incident in self._judge.open.values()]
        )

    def _take_up_incidents(self, now: float) -> None:
        """People acknowledge and close by other ways: the database is what holds."""
        since = now - self._judge.policy.reopen_within_s
        self._judge.take_up(self._state.open_incidents(), self._state.recently_closed(since))

    def turn(self) -> list[Change]:
        """One look; returns what changed."""
        with self._lock:
            if not self._may_decide():
                self._must_learn = True
                return []
            real_now = self._clock.now()
            now = self._known_until(real_now)
            self._observe(self._feed.take())
            if now == self._decided_at < real_now:  # nothing more is known
                return []
            self._take_up_incidents(now)
            if self._said:
                self._judge.detector.expect(self._said())
            changes = self._state.apply(self._judge.decide(now), self._routing)
            self._decided_at = now
            return changes

    def _known_until(self, now: float) -> float:
        """The instant up to which everything that came is stored; never before the last one."""
        since = self._waiting_since()
        if since is None or now - since <= LATE_S:
            return now
        return min(now, max(self._decided_at, since))

    def _observe(self, delta: Delta | None) -> None:
        if delta is None or self._must_learn:
            self.learn()
            log.info("detection has started again from history")
            return
        self._must_learn = True  # should what follows fail, half of it may be counted
        self._judge.detector.observe(delta)
        self._must_learn = False

    @property
    def unwatched_flow_count(self) -> int:
        """See `Detector.unwatched_flow_count`."""
        return self._judge.detector.unwatched_flow_count

    def routers(self) -> list[RouterStatus]:
        """See `Detector.routers`."""
        with self._lock:
            return self._judge.detector.routers()

    def expectation(self, tenant: str) -> Expectation | None:
        """How much a customer usually sends; None until its habit is known."""
        with self._lock:
            expected = self._judge.detector.expectation(Scope(tenant=tenant), self._clock.now())
        return Expectation(per_hour=expected.per_hour) if expected else None

    def capacity(self, filters: Filters) -> CapacityFigures | None:
        """What can be taken, as of the last turn; None: not known. See `Detector.capacity`."""
        scope = Scope(filters.tenant, filters.source, filters.integration, filters.pipeline)
        return self._judge.detector.capacity(scope)

    def start(self) -> None:
        """Begin to look every tick, in a thread of its own; the first turn learns, if need be."""
        self._must_learn = self._must_learn or not self._has_learned
        self._thread.start()

    def stop(self) -> None:
        """End after the turn that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._pause_s()):
            started = time.monotonic()
            try:
                self._tell(self.turn())
                self.last_error = ""
            except StoreError as error:  # it is away: `/ready` says so
                if self.last_error != str(error):
                    log.warning("detection waits", reason=str(error))
                self.failed_total += 1
                self.last_error = str(error)
            except Exception as error:  # one catch a turn: the next one tries again
                self.failed_total += 1
                self.last_error = f"{type(error).__name__}: {error}"
                log.exception("a turn of detection failed; it is made again at the next tick")
            self.turns_total += 1
            self.last_turn_s = time.monotonic() - started

    def _pause_s(self) -> float:
        """The first turn is at once; until it has learned, detection tries often."""
        if not self._must_learn:
            return self._tick_s
        return min(LEARN_AGAIN_S, self._tick_s) if self.turns_total else 0.0

    def _tell(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if change.entry:
                log.info(
                    f"incident {change.entry.action}",
                    incident=change.incident.id,
                    kind=change.incident.kind.value,
                    severity=change.incident.severity.value,
                    summary=change.incident.summary,
                    reason=change.entry.reason,
                )
