"""One threshold as its user wrote it, checked."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.errors import ConfigError
from streamgauge.model.words import Severity

METRICS: tuple[str, ...] = (
    *("messages", "received", "errors", "filtered", "error_ratio", "bytes"),
    *("latency_p50", "latency_p90", "latency_p99", "wait_p50", "wait_p90", "wait_p99"),
    *("backlog", "oldest_age"),
)
LABELS: tuple[str, ...] = ("tenant", "source", "integration", "pipeline", "outcome", "queue")
LONGEST_FOR_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Rule:
    """`[[rule]]` of the configuration.

    Raises:
        ConfigError: it can never be judged; says what is accepted.
    """

    name: str
    metric: str
    by: tuple[str, ...] = ()
    """Judged for each combination of these labels; nothing is the whole platform."""
    above: float | None = None
    below: float | None = None
    for_s: float = 60.0
    """Seconds; judged in whole minutes, rounded up."""
    severity: Severity = Severity.P3

    def __post_init__(self) -> None:
        where = f"[[rule]] {self.name!r}"
        if self.metric not in METRICS:
            raise ConfigError(_not_accepted(where, "metric", self.metric, METRICS))
        for label in self.by:
            if label not in LABELS:
                raise ConfigError(_not_accepted(where, "by", label, LABELS))
        if (self.above is None) == (self.below is None):
            raise ConfigError(f"{where}: set exactly one of `above` and `below`")
        if not 0 < self.for_s <= LONGEST_FOR_S:
            raise ConfigError(f"{where}: for = {self.for_s:g} s; accepted: more than 0 to 1 d")

    @property
    def threshold(self) -> float:
        """The value to be strictly beyond."""
        return (self.above if self.below is None else self.below) or 0.0

    @property
    def direction(self) -> str:
        """`above` or `below`."""
        return "above" if self.below is None else "below"


def _not_accepted(where: str, key: str, value: str, accepted: tuple[str, ...]) -> str:
    return f"{where}: {key} = {value!r} is not known; accepted: {', '.join(accepted)}"
