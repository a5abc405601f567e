"""Answers "why did you not page?": a detector of its own, built from rollups up to that instant.

What runs is not touched. It sees what is stored now, so also what came late; what people say of
flows is what they say now.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamgauge.detect.budget import FalsePages
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.detect.explain import TURNS_BEFORE_S
from streamgauge.model.clock import Clock
from streamgauge.model.errors import PayloadError
from streamgauge.model.explanation import Explanation
from streamgauge.model.feed import Records
from streamgauge.model.flow import Scope


class Explainer:
    """One question at a time: each reads five weeks of sums."""

    def __init__(
        self, records: Records, budget: FalsePages, said: Callable[[], Expectations], clock: Clock
    ) -> None:
        self._records, self._budget, self._said, self._clock = records, budget, said, clock
        self._one = threading.Lock()

    def explain(self, scope: Scope, at: float | None = None) -> Explanation:
        """Why a scope was, or was not, told at an instant (epoch seconds); None: now.

        Raises:
            PayloadError: `at` is to come.
            StoreError: the store does not answer.
        """
        now = self._clock.now()
        at = now if at is None else at
        if at > now:
            raise PayloadError("at: this is to come; give an instant that has passed")
        with self._one:
            detector = Detector(self._said(), self._budget)
            detector.learn(self._records.past(at))
            for before_s in TURNS_BEFORE_S:
                detector.evaluate(at - before_s)
            return detector.explain(scope, at, detector.evaluate(at))
