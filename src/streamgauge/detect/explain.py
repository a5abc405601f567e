"""Why a flow or level is, or is not, told at an instant: the numbers that decided.

Asked after a turn, of a detector that nobody else uses: to tell when a silence would open, the
minutes to come are counted as seen, as they will be if others go on to be heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamgauge.detect.budget import FalsePages
from streamgauge.detect.errors import Errors
from streamgauge.detect.excuses import ALL, Excuses
from streamgauge.detect.explain_words import Told, words_of
from streamgauge.detect.gaps import SeenTime
from streamgauge.detect.habit import Habit
from streamgauge.detect.levels import Levels
from streamgauge.detect.silence import BAR_LOWEST, SilenceEvidence
from streamgauge.detect.silences import Silences
from streamgauge.detect.sums import Sums
from streamgauge.model.explanation import Explanation, SilenceWeighed
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope

_AHEAD_S = 7 * 86_400.0
_NEAR_S = 10.0
"""As often as is looked."""


TURNS_BEFORE_S = (600.0, 480.0, 360.0, 240.0, 120.0, 60.0, 30.0)
"""Looks before the one that is explained: some findings are held for minutes, and what was just
learned counts as being loaded."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a turn left behind."""

    levels: Levels
    sums: Sums
    seen: SeenTime
    habit: Habit
    evidence: SilenceEvidence
    excuses: Excuses
    silences: Silences
    errors: Errors
    budget: FalsePages
    """Of silences."""


def explain(
    parts: Parts, group: int | None, scope: Scope, now: float, found: Sequence[Finding]
) -> Explanation:
    """What the turn at `now` made of a scope.

    Args:
        parts: the detector's, after that turn; cannot go on from here.
        group: the level or flow; None: nothing of it is known.
        scope: what was asked for.
        now: epoch seconds.
        found: all that held at that turn.
    """
    seen_until = parts.seen.watermark(now)
    about = tuple(one for one in found if concerns(one, scope))
    silence = errors = None
    why, is_held = "", False
    if group is not None:
        why = parts.excuses.why(group, now)
        errors = parts.errors.weigh(group, int(seen_until // 60))
        silence = weigh_silence(parts, group, seen_until, is_excused=bool(why))
        is_held = group in parts.silences.open
    watermark = float(seen_until) if np.isfinite(seen_until) else None
    told = Told(scope, now, watermark, silence, errors, about, why, is_held)
    return Explanation(scope, now, watermark, words_of(told), silence, errors, about)


def concerns(finding: Finding, scope: Scope) -> bool:
    """Whether a finding is about a scope, a part of it, or what it belongs to."""
    pairs = zip(finding.scope, scope, strict=True)
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        return False
    is_of_others = scope.tenant is not None and finding.scope.tenant is None and finding.affected
    return not is_of_others or scope.tenant in finding.affected


def weigh_silence(
    parts: Parts, group: int, watermark: float, *, is_excused: bool
) -> SilenceWeighed | None:
    """The quiet of a group up to the watermark; None: it never spoke."""
    row = parts.levels.primary(group)
    rows, flows = np.array([row]), parts.levels.flow_count
    last = float(parts.sums.last_s[row])
    if not np.isfinite(last) or last <= 0.0:
        return None
    habit, share = parts.habit, float(parts.excuses.share_of(rows)[0])
    looks = 7.0 * np.clip(habit.active_per_day[rows], 1.0, 1440.0)
    bar = float(parts.evidence.bar(rows, flows)[0])
    nats = float(parts.evidence.nats(rows, watermark)[0]) * (1.0 - share)
    interval_s = float(parts.evidence.interval_s(rows)[0])
    expected = parts.evidence.expected(row, last, watermark)
    can_open = np.isfinite(bar) and share < ALL and not is_excused
    return SilenceWeighed(
        last_message_at=last,
        interval_s=interval_s,
        due_at=parts.evidence.due_at(row),
        expected_messages=expected,
        nats=nats,
        bar_nats=bar if np.isfinite(bar) else None,
        budget_nats=float(parts.budget.bar(looks, flows, lowest=BAR_LOWEST)[0]),
        looks_per_week=float(looks[0]),
        flow_count=flows,
        allowed_per_week=parts.budget.allowed(flows),
        past_peak_nats=float(habit.peak_nats[row]),
        active_minutes=int(habit.active_minutes[row]),
        excused_ratio=share,
        opens_at=_opens_at(parts, row, share, watermark) if can_open else None,
    )


def _opens_at(parts: Parts, row: int, share: float, watermark: float) -> float | None:
    """When the evidence passes if nothing comes; None: not within a week."""
    rows, bar = np.array([row]), parts.evidence.bar(np.array([row]), parts.levels.flow_count)[0]

    def fires(at: float) -> bool:
        nats = parts.evidence.nats(rows, at)[0] * (1.0 - share)
        return bool(parts.evidence.due(rows, at)[0] and nats >= bar)

    if fires(watermark):
        return watermark
    low, high = watermark, watermark + _AHEAD_S
    parts.seen.add(np.arange(int(low // 60), int(high // 60) + 1))
    parts.evidence.forget()
    if not fires(high):
        return None
    while high - low > _NEAR_S:
        middle = (low + high) / 2.0
        low, high = (low, middle) if fires(middle) else (middle, high)
    return high
