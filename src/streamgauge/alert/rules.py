"""Thresholds that users write: which hold now, for each value of their labels.

Keeps nothing between turns: what is open already is given. Values are judged by the minute, as the
rollups hold them: `messages`, `errors` and the like are counts a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from streamgauge.alert.judgement import STEP_S, judge, open_steps, window_steps
from streamgauge.alert.rule import Rule
from streamgauge.alert.rule_findings import bare, belongs, holding, over, unseen
from streamgauge.model.errors import PayloadError, StoreError
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident
from streamgauge.model.views import Filters, TimeSeries

__all__ = ["MetricSource", "Rule", "evaluate_rules"]

SETTLE_S = 15.0
"""A minute is judged this long after its end: senders report late."""


class MetricSource(Protocol):
    """Where the values come from: the store, as the API sees it."""

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        """A metric per step, one series per combination of the labels in `by`."""
        ...


def evaluate_rules(
    rules: Sequence[Rule],
    source: MetricSource,
    now: float,
    open_incidents: Mapping[str, Incident],
    on_error: Callable[[Rule, Exception], None] | None = None,
) -> list[Finding]:
    """What holds of `rules` at `now`, by the whole minutes that ended `SETTLE_S` ago or earlier.

    1. A rule begins to hold when every known value of its last `for` is beyond the threshold and
       at least half of them are known.
    2. It is over when none is, by the same measure, over its last `for` and at least 3 minutes.
    3. In between, and while values are unknown, what is open stays open and nothing begins.

    Args:
        rules: all of them; what is open for others is not told, and so ends.
        source: asked once a rule.
        now: epoch seconds.
        open_incidents: by key; those of kind `rule` are looked at.
        on_error: told of each rule that could not be judged; what is open for it stays open.
    """
    to_s = (now - SETTLE_S) // STEP_S * STEP_S
    findings: list[Finding] = []
    for rule in rules:
        held = {key: one for key, one in open_incidents.items() if belongs(one, rule)}
        try:
            answer = _ask(rule, source, to_s)
        except (StoreError, PayloadError) as error:
            if on_error:
                on_error(rule, error)
            answer = TimeSeries((), ())
        findings += _findings_of(rule, answer, held, to_s)
    return findings


def _ask(rule: Rule, source: MetricSource, to_s: float) -> TimeSeries:
    from_s = to_s - STEP_S * window_steps(rule)
    return source.timeseries(rule.metric, from_s, to_s, STEP_S, rule.by, Filters())


def _findings_of(
    rule: Rule, answer: TimeSeries, held: Mapping[str, Incident], to_s: float
) -> list[Finding]:
    judged = judge(rule, answer.series)
    keyed = [bare(rule, one.labels) for one in answer.series]
    begun_at = to_s - STEP_S * open_steps(rule)
    told: dict[str, Finding] = {key: unseen(incident) for key, incident in held.items()}
    for index, finding in enumerate(keyed):
        last, worst = float(judged.last[index]), float(judged.worst[index])
        incident = held.get(finding.key)
        if incident is None:
            if judged.begins[index]:
                told[finding.key] = holding(finding, rule, begun_at, last, worst)
        elif judged.is_over[index]:
            told[finding.key] = over(incident, rule, last)
        elif not np.isnan(last):
            told[finding.key] = holding(finding, rule, incident.since, last, worst)
    return list(told.values())
