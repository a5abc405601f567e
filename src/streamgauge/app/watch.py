"""The loop that decides: every tick, from what was stored to what people must know."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from streamgauge.app.judge import Judge
from streamgauge.model.change import Change, Routing
from streamgauge.model.clock import Clock
from streamgauge.model.feed import Delta, Feed
from streamgauge.model.flow import Scope
from streamgauge.state.state import State
from streamgauge.web.ports import Expectation

log = structlog.get_logger()


class Watch:
    """Runs the judge over the feed and keeps what it decides, before anyone is told.

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
    ) -> None:
        self._feed, self._judge, self._state, self._routing = feed, judge, state, routing
        self._clock, self._tick_s = clock, tick_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._lock = threading.Lock()
        self._must_learn = False
        self.turns_total = 0
        self.failed_total = 0
        self.last_turn_s = 0.0
        self.last_error = ""
        """Why the last turn failed; empty when it did not."""

    def learn(self) -> None:
        """Build what detection knows from the rollups, and take up the incidents that are open."""
        now = self._clock.now()
        self._judge.detector.learn(self._feed.history(now))
        self._must_learn = False
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
            now = self._clock.now()
            self._observe(self._feed.take())
            self._take_up_incidents(now)
            return self._state.apply(self._judge.decide(now), self._routing)

    def _observe(self, delta: Delta | None) -> None:
        if delta is None or self._must_learn:
            log.info("detection starts again from history")
            self.learn()
            return
        self._must_learn = True  # should what follows fail, half of it may be counted
        self._judge.detector.observe(delta)
        self._must_learn = False

    @property
    def unwatched_flow_count(self) -> int:
        """See `Detector.unwatched_flow_count`."""
        return self._judge.detector.unwatched_flow_count

    def expectation(self, tenant: str) -> Expectation | None:
        """How much a customer usually sends; None until its habit is known."""
        with self._lock:
            expected = self._judge.detector.expectation(Scope(tenant=tenant), self._clock.now())
        return Expectation(per_hour=expected.per_hour) if expected else None

    def start(self) -> None:
        """Begin to look every tick, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End after the turn that is under way."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._tick_s):
            started = time.monotonic()
            try:
                self._tell(self.turn())
                self.last_error = ""
            except Exception as error:  # one catch a turn: the next one tries again
                self.failed_total += 1
                self.last_error = f"{type(error).__name__}: {error}"
                log.exception("a turn of detection failed; it is made again at the next tick")
            self.turns_total += 1
            self.last_turn_s = time.monotonic() - started

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
