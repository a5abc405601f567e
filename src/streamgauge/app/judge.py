"""One turn of decision: what came in, what holds now, what changes for people.

The same code runs live, in `replay`, and in tests with simulated time; it never does I/O but for
the questions of the user's own rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from streamgauge.alert.incidents import Change, step
from streamgauge.alert.rules import MetricSource, Rule, evaluate_rules
from streamgauge.detect.detector import Detector
from streamgauge.model.feed import Delta
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState

RULES_EVERY_S = 10.0
"""Rules ask the store, so that replay does not ask at every tick of a long history."""


def new_id() -> str:
    """An incident's id: unique over restarts and instances."""
    return uuid.uuid4().hex


class Judge:
    """Holds what detection knows and which incidents are open."""

    def __init__(
        self,
        detector: Detector,
        rules: Sequence[Rule] = (),
        metrics: MetricSource | None = None,
        make_id: Callable[[], str] = new_id,
    ) -> None:
        self.detector = detector
        self._rules, self._metrics, self._make_id = rules, metrics, make_id
        self.incidents: dict[str, Incident] = {}
        """By key: the open ones, and those closed so recently that they may reopen."""

    def decide(self, delta: Delta, now: float) -> list[Change]:
        """Take in what was stored, and say what changes at `now` (epoch seconds)."""
        self.detector.observe(delta)
        findings = self.detector.evaluate(now) + self._rule_findings(now)
        return step(self.incidents, findings, now, self._make_id)

    def accept(self, changes: Sequence[Change]) -> None:
        """The changes are kept for good: go on from them."""
        for change in changes:
            self.incidents[change.incident.key] = change.incident

    def _rule_findings(self, now: float) -> list[Finding]:
        if not self._rules or self._metrics is None:
            return []
        open_keys = {
            key
            for key, incident in self.incidents.items()
            if incident.state is not IncidentState.CLOSED
        }
        return evaluate_rules(self._rules, self._metrics, now, open_keys)
