"""When people are told that streamgauge itself runs out of room, and in which words. Pure."""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass

from streamgauge.govern.words import count_words, share_words, size_words, span_words
from streamgauge.model.budget import Budget, Interval, LevelBudget, Resource
from streamgauge.model.finding import Evidence, Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.usage import Level
from streamgauge.model.words import Kind, Severity, Suspected

DISK, SERIES = "streamgauge disk", "streamgauge series"
"""Subjects, which tell these from a pipeline's own capacity."""
OVER_PATIENCE = 2.0
"""A warning is over when its time has moved so many times as far away: it must not flap."""


@dataclass(frozen=True, slots=True)
class WarningSettings:
    """When to tell."""

    warn_before_s: float = 7 * 86_400.0
    """So long before something is full, at the earliest time that is likely."""
    critical_ratio: float = 0.97
    """So much of the disk used although all was given up is critical."""


def findings(budget: Budget, settings: WarningSettings, told: Set[str]) -> list[Finding]:
    """What holds now about our own room.

    Args:
        budget: the newest look.
        settings: when to tell.
        told: subjects that people are told of already; those need more room to be over.
    """
    found = [
        _disk_finding(budget, settings, is_told=DISK in told),
        _series_finding(budget, settings, is_told=SERIES in told),
    ]
    return [finding for finding in found if finding]


def is_running_out(resource: Resource, warn_before_s: float, *, is_told: bool) -> bool:
    """Likely enough to be full within the time to warn; over only at twice that."""
    if resource.used >= resource.limit:
        return True
    if resource.full is None:
        return False
    patience = OVER_PATIENCE if is_told else 1.0
    return resource.full.early_s <= patience * warn_before_s


def _disk_finding(budget: Budget, settings: WarningSettings, *, is_told: bool) -> Finding | None:
    disk, given = budget.disk, budget.given_up
    if not given.is_anything and not is_running_out(disk, settings.warn_before_s, is_told=is_told):
        return None
    severity = Severity.P3
    if given.is_anything:
        severity = Severity.P2
    if disk.used_ratio >= settings.critical_ratio:
        severity = Severity.P1
    return Finding(
        kind=Kind.CAPACITY,
        scope=PLATFORM,
        severity=severity,
        suspected=Suspected.COLLECTOR,
        since=given.since if given.since is not None else budget.at,
        summary=_given_sentence(budget) if given.is_anything else _warning_sentence(budget),
        evidence={**_evidence(disk), **_retentions(budget)},
        subject=DISK,
    )


def _warning_sentence(budget: Budget) -> str:
    disk = budget.disk
    return (
        f"streamgauge's own disk will be full {when(disk.full)}: {_used(budget)}; "
        "then raw lines will be kept for a shorter time, and minutes after them."
    )


def _given_sentence(budget: Budget) -> str:
    parts = [
        f"{name} for {span_words(level.kept_s)} in place of {span_words(level.retention_s)}"
        for level, name in (
            (_level(budget, Level.RAW), "raw lines"),
            (_level(budget, Level.MINUTE), "minutes"),
        )
        if level is not None and level.kept_s < level.retention_s
    ]
    return (
        f"streamgauge keeps {' and '.join(parts) or 'less than configured'}, "
        f"because its own disk was nearly full: now {_used(budget)}."
    )


def _used(budget: Budget) -> str:
    disk = budget.disk
    what = "the budget of " if budget.disk_is_budget else ""
    return f"{share_words(disk.used_ratio)} of {what}{size_words(disk.limit)} is used"


def _series_finding(budget: Budget, settings: WarningSettings, *, is_told: bool) -> Finding | None:
    series = budget.series
    if not is_running_out(series, settings.warn_before_s, is_told=is_told):
        return None
    is_over = series.used >= series.limit
    return Finding(
        kind=Kind.CAPACITY,
        scope=PLATFORM,
        severity=Severity.P2 if is_over else Severity.P3,
        suspected=Suspected.COLLECTOR,
        since=budget.at,
        summary=(
            f"streamgauge {'has' if is_over else 'will have'} more series than fit its memory"
            f"{'' if is_over else f' {when(series.full)}'}: {count_words(series.used)} of "
            f"{count_words(series.limit)}; give it more memory, or look for a tag that varies."
        ),
        evidence=_evidence(series),
        subject=SERIES,
    )


def when(full: Interval | None) -> str:
    """`in about 6 d (4 d to 9 d)`; `soon` where that is not known."""
    if full is None:
        return "soon"
    late = "later than a year" if math.isinf(full.late_s) else span_words(full.late_s)
    if math.isinf(full.likely_s):
        return f"in {span_words(full.early_s)} at the earliest"
    return f"in about {span_words(full.likely_s)} ({span_words(full.early_s)} to {late})"


def _evidence(resource: Resource) -> Evidence:
    unit = "bytes" if resource.name == "disk" else "count"
    full = resource.full
    return {
        f"used_{unit}": resource.used,
        f"limit_{unit}": resource.limit,
        "used_ratio": resource.used_ratio,
        "full_early_s": _finite(full.early_s if full else None),
        "full_likely_s": _finite(full.likely_s if full else None),
        "full_late_s": _finite(full.late_s if full else None),
    }


def _retentions(budget: Budget) -> Evidence:
    return {
        f"{level.level.value}_kept_s": level.kept_s
        for level in budget.levels
        if math.isfinite(level.kept_s) and level.kept_s < level.retention_s
    }


def _level(budget: Budget, level: Level) -> LevelBudget | None:
    return next((one for one in budget.levels if one.level is level), None)


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds
