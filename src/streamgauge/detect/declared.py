"""Flows that the configuration declares and nobody has ever seen."""

from __future__ import annotations

from streamgauge.detect.expectations import Declared, Expectations, is_within
from streamgauge.detect.levels import Levels
from streamgauge.detect.sentences import at_utc, duration
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity, Suspected


class NeverSeen:
    """Waits for the first message of every declared flow."""

    def __init__(self, levels: Levels, expectations: Expectations) -> None:
        self._levels, self._expectations = levels, expectations
        self._waiting = list(expectations.declared)
        self._first_look_at: float | None = None
        self._looked_at = 0

    @property
    def is_waiting(self) -> bool:
        """Whether a declared flow is yet to be seen."""
        return bool(self._waiting)

    def findings(self, now: float) -> list[Finding]:
        """One for each declared flow that is overdue."""
        if self._first_look_at is None or now < self._first_look_at:
            self._first_look_at = now
        if self._waiting and len(self._levels.flows) != self._looked_at:
            self._looked_at = len(self._levels.flows)
            self._waiting = [
                declared
                for declared in self._waiting
                if not any(is_within(flow, [declared.scope]) for flow in self._levels.flows)
            ]
        return [
            self._finding(declared, now)
            for declared in self._waiting
            if now - self._since(declared) > declared.expected_within_s
            and declared.scope not in self._expectations.retired
        ]

    def _since(self, declared: Declared) -> float:
        return declared.declared_at or self._first_look_at or 0.0

    def _finding(self, declared: Declared, now: float) -> Finding:
        since = self._since(declared)
        return Finding(
            Kind.SILENCE,
            declared.scope,
            Severity.P4,
            Suspected.CUSTOMER,
            since,
            f"Declared but never seen: {declared.scope.describe()}. No message has come since "
            f"{at_utc(since, now)} ({duration(now - since)}); one was expected within "
            f"{duration(declared.expected_within_s)}. Retire it in the configuration if it is "
            "not meant to send.",
            {"waited_s": round(now - since, 1), "expected_within_s": declared.expected_within_s},
            (declared.scope.tenant,) if declared.scope.tenant else (),
            "never seen",
        )
