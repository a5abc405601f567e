"""One turn of decision: what came in, what holds now, what changes for people.

The same code runs live, in `replay`, and in tests with simulated time; it never does I/O but for
the questions of the user's own rules.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from streamgauge.alert.incidents import step
from streamgauge.alert.policy import IncidentPolicy
from streamgauge.alert.rules import MetricSource, Rule, evaluate_rules
from streamgauge.detect.detector import Detector
from streamgauge.model.change import Change
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState

log = structlog.get_logger()


def new_id() -> str:
    """An incident's id: unique over restarts and instances."""
    return uuid.uuid4().hex


def _nothing(_open: Mapping[str, Incident]) -> list[Finding]:
    return []


class Judge:
    """Holds what detection knows and which incidents are open."""

    def __init__(
        self,
        detector: Detector,
        rules: Sequence[Rule] = (),
        metrics: MetricSource | None = None,
        make_id: Callable[[], str] = new_id,
        own: Callable[[Mapping[str, Incident]], list[Finding]] = _nothing,
    ) -> None:
        self.detector = detector
        self._rules, self._metrics, self._make_id = rules, metrics, make_id
        self._own = own
        self.policy = IncidentPolicy()
        self.open: dict[str, Incident] = {}
        """By key: every incident that is not closed."""
        self.closed: dict[str, Incident] = {}
        """By key: those that may reopen, because they closed a moment ago or are held."""

    def decide(self, now: float) -> list[Change]:
        """What changes at `now` (epoch seconds), by all that the detector has observed."""
        findings = self.detector.evaluate(now) + self._rule_findings(now)
        findings += self._own(self.open)
        self._forget_old(now)
        return step(self.open, findings, now, self._make_id, self.closed, self.policy)

    def take_up(self, open_now: dict[str, Incident], closed: dict[str, Incident]) -> None:
        """Go on from what is kept: the open incidents, and those that may reopen, by key."""
        self.open, self.closed = open_now, closed

    def accept(self, incidents: Iterable[Incident]) -> None:
        """These are kept for good: go on from them."""
        for incident in incidents:
            is_closed = incident.state is IncidentState.CLOSED
            (self.closed if is_closed else self.open)[incident.key] = incident
            (self.open if is_closed else self.closed).pop(incident.key, None)

    def _forget_old(self, now: float) -> None:
        self.closed = {
            key: incident
            for key, incident in self.closed.items()
            if incident.is_held or now - (incident.closed_at or 0.0) <= self.policy.reopen_within_s
        }

    def _rule_findings(self, now: float) -> list[Finding]:
        if not self._rules or self._metrics is None:
            return []
        return evaluate_rules(self._rules, self._metrics, now, self.open, _tell_unjudged)


def _tell_unjudged(rule: Rule, error: Exception) -> None:
    log.warning("a rule cannot be judged", rule=rule.name, error=str(error))
