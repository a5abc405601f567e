"""Tells many queues in trouble at once as one finding: of an integration, a pipeline, or of all.

Four or more that share a name are one; ten or more are the platform's. What was told together stays
so until the last of them is well again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from streamgauge.detect.sentences import count_of, named, number
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Kind, Severity, Suspected

SEVERAL = "several queues"
_SOME = 4
_MANY = 10


class BacklogFold:
    """Remembers which scopes are told as one."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def restore(self, keys: Iterable[str]) -> None:
        """What was told together before a restart stays so."""
        self._told |= {key for key in keys if key.startswith(Kind.BACKLOG)}

    def findings(self, found: list[Finding]) -> list[Finding]:
        """As few as tell the same."""
        if not self._told and len(found) < _SOME:
            return found
        left, wide = found, []
        for scope in _scopes(found):
            members = [f for f in left if _is_within(f.scope, scope)]
            needed = _MANY if scope == PLATFORM else _SOME
            if len(members) >= needed or (members and _key(scope) in self._told):
                wide.append(_together(members, scope))
                left = [finding for finding in left if finding not in members]
        self._told = {finding.key for finding in wide}
        return left + wide


def _scopes(found: list[Finding]) -> list[Scope]:
    """Integrations and pipelines that queues share, then the platform."""
    count: dict[Scope, int] = defaultdict(int)
    for finding in found:
        for name in ("integration", "pipeline"):
            if getattr(finding.scope, name) is not None:
                count[Scope(**{name: getattr(finding.scope, name)})] += 1
    return [*sorted(count, key=lambda scope: -count[scope]), PLATFORM]


def _is_within(inner: Scope, outer: Scope) -> bool:
    return all(wide is None or wide == part for part, wide in zip(inner, outer, strict=True))


def _key(scope: Scope) -> str:
    return Finding(
        Kind.BACKLOG, scope, Severity.P3, Suspected.UNKNOWN, 0.0, "", subject=SEVERAL
    ).key


def _together(members: list[Finding], scope: Scope) -> Finding:
    ranked = sorted(members, key=_backlog, reverse=True)
    worst, queues = ranked[0], list(dict.fromkeys(f.subject for f in ranked))
    who = "" if scope == PLATFORM else f" of {scope.describe()}"
    total = sum(_backlog(finding) for finding in ranked)
    return replace(
        worst,
        scope=scope,
        severity=min(finding.severity for finding in members),
        since=min(finding.since for finding in members),
        suspected=Suspected.INTEGRATION if scope.integration else Suspected.PLATFORM,
        summary=f"{count_of(len(members), 'queue')}{who} ({named(queues)}) hold more, or older, "
        f"messages than they usually do: {number(total)} wait. The fullest: {worst.summary}",
        evidence={**worst.evidence, "queues": queues[:50], "backlog": total},
        affected=tuple(dict.fromkeys(name for f in ranked for name in f.affected)),
        subject=SEVERAL,
        covers=tuple(finding.key for finding in members),
    )


def _backlog(finding: Finding) -> float:
    value = finding.evidence.get("backlog")
    return float(value) if isinstance(value, int | float) else 0.0
