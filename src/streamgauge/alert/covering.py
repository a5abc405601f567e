"""Which findings are explained by a larger one: a vendor's outage is one incident, not 300."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamgauge.model.finding import Finding


def covered_by(findings: Sequence[Finding]) -> dict[str, Finding]:
    """The keys that a larger finding explains, each with the largest one that does.

    1. A finding that is over explains nothing.
    2. Findings that no other one covers come first, in the order given.
    3. What is covered by something covered belongs to the same parent.
    4. Of findings that cover each other, the first one stays.
    """
    if not any(finding.covers for finding in findings):
        return {}
    holding = [finding for finding in findings if not finding.over_reason]
    by_key = {finding.key: finding for finding in holding}
    named = {key for finding in holding for key in finding.covers if key != finding.key}
    covered: dict[str, Finding] = {}
    for parent in sorted(holding, key=lambda finding: finding.key in named):
        if parent.key not in covered:
            _cover_all_below(parent, by_key, covered)
    return covered


def _cover_all_below(
    parent: Finding, by_key: Mapping[str, Finding], covered: dict[str, Finding]
) -> None:
    waiting = list(parent.covers)
    while waiting:
        key = waiting.pop()
        if key != parent.key and key not in covered:
            covered[key] = parent
            waiting.extend(by_key[key].covers if key in by_key else ())
