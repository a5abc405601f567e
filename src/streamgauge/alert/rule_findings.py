"""The findings of rules: one that begins or goes on, one that is over, one we cannot see. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import unquote

from streamgauge.alert.policy import duration_in_words
from streamgauge.alert.rule import Rule
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.incident import Incident
from streamgauge.model.words import Kind, Suspected

_SCOPE_LABELS = Scope._fields
_IN_SECONDS = ("latency_", "wait_", "oldest_age")


def bare(rule: Rule, labels: Mapping[str, str]) -> Finding:
    """A finding that has no more than its key: `labels` beside the scope's go into its subject."""
    scope = Scope(*(labels.get(name) or None for name in _SCOPE_LABELS))
    others = [f"{name} {value}" for name, value in labels.items() if name not in _SCOPE_LABELS]
    subject = f"{rule.name} ({', '.join(others)})" if others else rule.name
    return Finding(Kind.RULE, scope, rule.severity, Suspected.UNKNOWN, 0.0, "", subject=subject)


def holding(finding: Finding, rule: Rule, since: float, last: float, worst: float) -> Finding:
    """The rule holds: what, of whom, how far beyond."""
    tenant = finding.scope.tenant
    unit = " s" if rule.metric.startswith(_IN_SECONDS) else ""
    return replace(
        finding,
        since=since,
        summary=(
            f"{finding.subject}: {rule.metric}{_of(finding, rule)} {rule.direction} "
            f"{rule.threshold:g}{unit} for {duration_in_words(rule.for_s)}, now {last:.4g}{unit}"
        ),
        evidence={
            "metric": rule.metric,
            rule.direction: rule.threshold,
            "for_s": rule.for_s,
            "last_value": last,
            "worst_value": worst,
        },
        affected=(tenant,) if tenant else (),
    )


def _of(finding: Finding, rule: Rule) -> str:
    """Whom it is about, unless the subject has named it: a queue is not the whole platform."""
    is_named = finding.subject != rule.name and finding.scope == PLATFORM
    return "" if is_named else f" of {finding.scope.describe()}"


def over(incident: Incident, rule: Rule, last: float) -> Finding:
    """The rule holds no more, and we saw it."""
    reason = f"{rule.metric} is back at {last:.4g}, threshold {rule.direction} {rule.threshold:g}"
    return replace(unseen(incident), over_reason=reason)


def unseen(incident: Incident) -> Finding:
    """We cannot see whether it holds: what was known last stays."""
    return Finding(
        kind=incident.kind,
        scope=incident.scope,
        severity=incident.severity,
        suspected=incident.suspected,
        since=incident.since,
        summary=incident.summary,
        evidence=incident.evidence,
        affected=incident.affected,
        subject=subject_of(incident),
    )


def belongs(incident: Incident, rule: Rule) -> bool:
    """Whether `incident` was opened for `rule`."""
    if incident.kind is not Kind.RULE:
        return False
    subject = subject_of(incident)
    return subject == rule.name or subject.startswith(f"{rule.name} (")


def subject_of(incident: Incident) -> str:
    """`Finding.subject` of the finding that opened it, as its key has it."""
    return unquote(incident.key.rpartition("/")[2])
