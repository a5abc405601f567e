"""What to give up when the disk is about to be full, and when to give it back.

1. Over `give_up_above` of the limit: the oldest raw partitions go until `aim` is met, down to the
   floor of raw retention; what they cannot free the oldest minutes do, down to theirs.
2. Over `last_resort` with both at their floors: all raw lines go, those of today too.
3. Hours and days are never given up.
4. Below `give_back_below` retention is lengthened a step at a time, minutes first, as far as the
   store would still fit when it holds that much.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamgauge.model.budget import GivenUp
from streamgauge.model.usage import Level, PartitionUsage, StoreUsage

DAY_S = 86_400.0
STEP_S: Mapping[Level, float] = {Level.RAW: DAY_S, Level.MINUTE: 7 * DAY_S}
"""What retention is lengthened by: a partition."""


@dataclass(frozen=True, slots=True)
class GivingSettings:
    """Thresholds as shares of the limit, retentions in seconds (infinite: for ever)."""

    raw_s: float
    minute_s: float
    raw_floor_s: float = DAY_S
    minute_floor_s: float = 2 * DAY_S
    give_up_above: float = 0.9
    aim: float = 0.85
    give_back_below: float = 0.75
    last_resort: float = 0.97


@dataclass(frozen=True, slots=True)
class Decision:
    """How long things are kept from now on."""

    given_up: GivenUp
    reason: str = ""
    """What changed and why, for people; empty: nothing did."""
    is_last_resort: bool = False
    """All raw lines go now, those of the running partition too."""


def decide(
    usage: StoreUsage,
    limit_bytes: float,
    intake_bytes: Mapping[Level, float],
    given: GivenUp,
    settings: GivingSettings,
) -> Decision:
    """What holds after this look.

    Args:
        usage: what is held now.
        limit_bytes: the disk's room for us, what we use included.
        intake_bytes: what comes in a day, of levels where it is known.
        given: what was given up before.
        settings: thresholds and configured retentions.
    """
    if limit_bytes <= 0:
        return Decision(given)
    used_ratio = usage.total_bytes / limit_bytes
    if used_ratio > settings.give_up_above:
        return _give_up(usage, limit_bytes, given, settings)
    if given.is_anything and used_ratio < settings.give_back_below:
        return _give_back(usage, limit_bytes, intake_bytes, given, settings)
    return Decision(given)


def kept_s(level: Level, given: GivenUp, settings: GivingSettings) -> float:
    """How long a level is kept now, seconds."""
    if level is Level.RAW:
        return settings.raw_s if given.raw_s is None else min(given.raw_s, settings.raw_s)
    return settings.minute_s if given.minute_s is None else min(given.minute_s, settings.minute_s)


def _give_up(
    usage: StoreUsage, limit_bytes: float, given: GivenUp, settings: GivingSettings
) -> Decision:
    needed = usage.total_bytes - settings.aim * limit_bytes
    raw_now_s, minute_now_s = (kept_s(level, given, settings) for level in STEP_S)
    raw_s, freed = _shortened(usage, Level.RAW, needed, settings.raw_floor_s, raw_now_s)
    minute_s = None
    if freed < needed:
        minute_s, more = _shortened(
            usage, Level.MINUTE, needed - freed, settings.minute_floor_s, minute_now_s
        )
        freed += more
    after = GivenUp(
        raw_s=_shorter(given.raw_s, raw_s),
        minute_s=_shorter(given.minute_s, minute_s),
        since=given.since,
    )
    if after.is_anything and after.since is None:
        after = replace(after, since=usage.at)
    if raw_s is not None or minute_s is not None or freed >= needed:
        return Decision(after, _told(given, after))
    is_last = (
        usage.total_bytes > settings.last_resort * limit_bytes and usage.bytes_of(Level.RAW) > 0
    )
    if is_last:
        nothing = replace(after, raw_s=0.0, since=usage.at if given.since is None else given.since)
        return Decision(nothing, "all raw lines are dropped, today's too", is_last_resort=True)
    return Decision(given)


def _shortened(
    usage: StoreUsage, level: Level, needed: float, floor_s: float, now_s: float
) -> tuple[float | None, float]:
    """The retention that frees `needed` bytes, or as many as may be, and how many it frees.

    None where what is too old already (`now_s`) frees enough.
    """
    freed, retention_s = 0.0, None
    for part in _oldest_first(usage, level):
        age_s = usage.at - (part.to_s or math.inf)
        if freed >= needed or age_s < floor_s:
            break
        freed += part.size_bytes
        retention_s = age_s if age_s < now_s else None
    return retention_s, freed


def _oldest_first(usage: StoreUsage, level: Level) -> list[PartitionUsage]:
    timed = [part for part in usage.partitions if part.level is level and part.to_s is not None]
    return sorted(timed, key=lambda part: part.to_s or 0.0)


def _shorter(before_s: float | None, now_s: float | None) -> float | None:
    given = [value for value in (before_s, now_s) if value is not None]
    return min(given) if given else None


def _told(before: GivenUp, after: GivenUp) -> str:
    parts = []
    if after.raw_s != before.raw_s:
        parts.append("raw lines are kept for a shorter time")
    if after.minute_s != before.minute_s:
        parts.append("minutes are kept for a shorter time")
    return " and ".join(parts)


def _give_back(
    usage: StoreUsage,
    limit_bytes: float,
    intake_bytes: Mapping[Level, float],
    given: GivenUp,
    settings: GivingSettings,
) -> Decision:
    for level, now_s, configured_s in (
        (Level.MINUTE, given.minute_s, settings.minute_s),
        (Level.RAW, given.raw_s, settings.raw_s),
    ):
        if now_s is None:
            continue
        longer_s = now_s + STEP_S[level]
        after = _with(given, level, None if longer_s >= configured_s else longer_s)
        if _full_grown(usage, intake_bytes, after, settings) <= settings.give_back_below * (
            limit_bytes
        ):
            words = "minutes" if level is Level.MINUTE else "raw lines"
            return Decision(after, f"there is room again: {words} are kept longer")
        break
    return Decision(given)


def _full_grown(
    usage: StoreUsage,
    intake_bytes: Mapping[Level, float],
    given: GivenUp,
    settings: GivingSettings,
) -> float:
    """Bytes used once raw lines and minutes are as old as they may get; infinite: not known."""
    total = float(usage.total_bytes)
    for level in (Level.RAW, Level.MINUTE):
        if level not in intake_bytes:
            return math.inf
        kept_days = kept_s(level, given, settings) / DAY_S + STEP_S[level] / DAY_S
        if math.isfinite(kept_days):
            total += max(intake_bytes[level] * kept_days - usage.bytes_of(level), 0.0)
    return total


def _with(given: GivenUp, level: Level, retention_s: float | None) -> GivenUp:
    changed = (
        replace(given, raw_s=retention_s)
        if level is Level.RAW
        else replace(given, minute_s=retention_s)
    )
    return changed if changed.is_anything else GivenUp()
