"""Remembers which findings hold, so that each that ends is told once more, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamgauge.model.finding import Finding


class Told:
    """The findings of the last turn, by key."""

    def __init__(self) -> None:
        self._last: dict[str, Finding] = {}

    @property
    def has_any(self) -> bool:
        """Whether anything was told at the last turn, so that its end must be told too."""
        return bool(self._last)

    def restore(self, finding: Finding) -> None:
        """A finding that was open before a restart: it will be told until it is over."""
        self._last[finding.key] = finding

    def since(self, key: str) -> float | None:
        """Since when a finding has held, if it was told at the last turn."""
        found = self._last.get(key)
        return found.since if found is not None else None

    def turn(self, holding: list[Finding], reasons: Mapping[str, str]) -> list[Finding]:
        """All of `holding`, and once each that held before and does not now.

        Args:
            holding: what holds now.
            reasons: why a finding ended, by its key; those missing are said to be explained by a
                wider finding, or simply to hold no longer.
        """
        current: dict[str, Finding] = {}
        for finding in holding:
            before = self._last.get(finding.key)
            # What began earlier keeps its beginning: sentences must not wander.
            since = min(finding.since, before.since) if before else finding.since
            current[finding.key] = replace(finding, since=since)
        covered = {key: f for f in current.values() for key in f.covers}
        over = [
            replace(finding, over_reason=reasons.get(key) or _because(covered.get(key)))
            for key, finding in self._last.items()
            if key not in current
        ]
        self._last = current
        return [*current.values(), *over]


def _because(wider: Finding | None) -> str:
    return f"part of: {wider.summary}" if wider else "it holds no longer"
