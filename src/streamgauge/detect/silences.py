"""Opens and closes silences, one per group (flow or level); `fold` makes findings of them.

Opens when the evidence passes the bar and no higher level is about to explain it. Closes when
messages came back at a fair share of their habit: one stray message of a big customer does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Bools, Ints
from streamgauge.detect.day_off import DayOff
from streamgauge.detect.deadlines import Deadlines
from streamgauge.detect.excuses import ALL, Excuses
from streamgauge.detect.habit import Habit
from streamgauge.detect.levels import Level, Levels
from streamgauge.detect.sentences import at_utc, duration, number
from streamgauge.detect.shape import WEEK
from streamgauge.detect.silence import SilenceEvidence
from streamgauge.detect.sums import Sums
from streamgauge.model.flow import Scope

_FAIR_SHARE = 0.25
"""Of what one interval usually brings: enough to call it back."""
_SETTLE_S = 15.0
"""A row to which lines were added this short ago is being loaded, not silent, whatever their time
stamps: histories come customer by customer."""
_RECENT_MINUTES = 5
_LOW_LEVEL_S = 6 * 3600.0
"""Messages for this long, though fewer than before: no silence any more."""
_PARENT_SHARE = 0.3
"""A tenant with this share of its own bar may soon explain what its integrations miss."""
_NONE: Bools = np.zeros(0, bool)


@dataclass
class Silence:
    """One group that is silent."""

    group: int
    row: int
    since: float
    """Epoch seconds of its last message before."""
    nats: float
    expected: float
    per_hour: float
    resumed_at: float | None = None


class Silences:
    """The groups that are silent now."""

    def __init__(
        self,
        levels: Levels,
        sums: Sums,
        habit: Habit,
        evidence: SilenceEvidence,
        excuses: Excuses,
        day_off: DayOff,
    ) -> None:
        self._levels, self._sums, self._habit = levels, sums, habit
        self._evidence, self._excuses, self._day_off = evidence, excuses, day_off
        self.open: dict[int, Silence] = {}
        self.ended: dict[int, str] = {}
        """Groups whose silence ended at the last turn, and why."""
        self._held = _NONE
        self._deadlines = Deadlines()
        self._row_count = 0
        self._rows: Ints = np.zeros(0, np.int32)
        """[groups]: the row that is judged, when it was last looked at."""
        self._arrived: list[tuple[float, Ints]] = []
        """When lines were added lately, and to which rows."""
        self._last_arrival_at = -np.inf

    def arrive(self, rows: Ints, now: float) -> None:
        """Lines were added to these rows since the last turn."""
        self._arrived = [one for one in self._arrived if abs(now - one[0]) < _SETTLE_S]
        if len(rows):
            self._arrived.append((now, rows))
            self._last_arrival_at = now

    def being_loaded(self, rows: Ints, now: float) -> Bools:
        """Which rows [rows] were added to a moment ago: that may be a history."""
        is_loaded = np.zeros(self._levels.row_count, bool)
        for at, arrived in self._arrived:
            if abs(now - at) < _SETTLE_S:
                is_loaded[arrived] = True
        return is_loaded[rows]

    def has_settled(self, now: float) -> bool:
        """Whether no row is being loaded any more."""
        return abs(now - self._last_arrival_at) >= _SETTLE_S

    def judge(self, watermark: float, now: float, is_blind: bool, held: Bools = _NONE) -> None:
        """One turn: open what is proven; close, unless we are blind, what came back.

        Args:
            watermark: up to which time is judged.
            now: epoch seconds.
            is_blind: whether nobody reports.
            held: flows [flows] of which it cannot be told yet whether they are silent.
        """
        self._held = held
        self._index()
        self.ended = {}
        version = self._excuses.version, self._evidence.version, self._day_off.version
        due = self._deadlines.due(watermark, version)
        if len(due):
            self._weigh(due, watermark, now)
        for silence in list(self.open.values()):
            if silence.group in self.open:  # a wider one that ended may have taken it along
                self._follow(silence, watermark, now, is_blind)

    def take_back(self, rows: Ints) -> None:
        """The habit of these rows is another one."""
        self._index()
        self._deadlines.take_back(self._levels.row_group[rows])

    def restore(self, group: int, since: float) -> None:
        """Hold a group silent that was silent before a restart, unless it has spoken since."""
        self._index()
        row = self._levels.primary(group)
        if self._sums.last_s[row] <= since + 1.0 and group not in self.open:
            self.open[group] = Silence(group, row, since, 0.0, 0.0, self._habit.mean_rate[row])
            self._deadlines.put(np.array([group]), np.inf)

    def _index(self) -> None:
        """Look at groups that are new, or are judged by another row from now on."""
        known = len(self._rows)
        if known == self._levels.group_count and self._row_count == self._levels.row_count:
            return
        self._row_count = self._levels.row_count
        rows = self._levels.primary_rows[: self._levels.group_count]
        self._deadlines.make_room(len(rows))
        self._deadlines.take_back(np.flatnonzero(rows[:known] != self._rows))
        self._rows = rows.copy()

    def _weigh(self, groups: Ints, watermark: float, now: float) -> None:
        """Open those whose evidence is enough, and note when the others may have enough."""
        rows = self._rows[groups]
        settled = np.flatnonzero(~self.being_loaded(rows, now))
        groups, rows = groups[settled], rows[settled]
        self._deadlines.put(groups, self._evidence.earliest(rows))
        due = np.flatnonzero(self._evidence.due(rows, watermark))
        groups, rows = groups[due], rows[due]
        excused = self._excuses.share_of(rows)
        self._deadlines.put(groups[excused >= ALL], np.inf)
        at = np.flatnonzero(excused < ALL)
        groups, rows = groups[at], rows[at]
        total = self._evidence.total(rows, watermark)
        nats = self._evidence.nats_of(rows, total, watermark) * (1.0 - excused[at])
        nats *= 1.0 - self._day_off.share_of(rows)
        bar = self._evidence.bar(rows, self._levels.flow_count)
        self._deadlines.put(groups, self._evidence.earliest(rows, total, watermark))
        fires = np.flatnonzero(nats >= bar)
        self._deadlines.put(groups[fires], watermark)
        for group, value in zip(groups[fires].tolist(), nats[fires].tolist(), strict=True):
            if group not in self.open and not self._is_held(group):
                self._open(group, value, watermark)

    def _is_held(self, group: int) -> bool:
        """Whether half of what a group usually brings comes from flows that are held."""
        if not self._held.any():
            return False
        row = int(self._rows[group])
        flows = self._levels.flows_of_rows(np.array([row]))
        rows = self._levels.flow_rows[flows[flows < len(self._held)]]
        is_part = (rows == row).any(axis=1)
        weights = self._habit.mean_rate[rows[:, 0]] * is_part
        is_held = self._held[flows[flows < len(self._held)]]
        return bool((weights * is_held).sum() >= 0.5 * weights.sum() > 0.0)

    def _open(self, group: int, nats: float, watermark: float) -> None:
        row = int(self._rows[group])
        if self._may_be_explained(group, row, watermark) or self._speaks_elsewhere(group, row):
            return
        since = float(self._sums.last_s[row])
        self.open[group] = Silence(group, row, since, nats, 0.0, float(self._habit.mean_rate[row]))
        self._deadlines.put(np.array([group]), np.inf)

    def _may_be_explained(self, group: int, row: int, watermark: float) -> bool:
        """Whether its tenant is going quiet too, and will be proven silent a little later."""
        names = self._levels.groups[group]
        if names.level not in {Level.FLOW, Level.TENANT_INTEGRATION} or names.tenant is None:
            return False
        parent = self._levels.find(
            names._replace(
                level=Level.TENANT, source=None, integration=None, pipeline=None, stage=None
            )
        )
        if parent is None or parent in self.open:
            return False
        above = np.array([self._levels.primary(parent)])
        quiet = watermark - self._sums.last_s[[above[0], row]]
        if quiet[0] < 0.5 * quiet[1] or not self._evidence.due(above, watermark)[0]:
            return False
        if self._excuses.share_of(above)[0] >= ALL:
            return False
        bar = self._evidence.bar(above, self._levels.flow_count)
        nats = self._evidence.nats(above, watermark)
        return bool(_PARENT_SHARE * bar[0] <= nats[0] < bar[0])

    def _speaks_elsewhere(self, group: int, row: int) -> bool:
        """Whether a level's other sources speak on a channel that its own row does not count."""
        names = self._levels.groups[group]
        if names.level not in {Level.TENANT, Level.PLATFORM}:
            return False
        members = np.array(self._levels.members.get(group), np.int64)
        members = members[np.isin(self._levels.group_level[members], [Level.SOURCE, Level.TENANT])]
        newest = self._sums.last_s[self._levels.primary_rows[members]].max(initial=-np.inf)
        return bool(newest > self._sums.last_s[row] + 60.0)

    def _follow(self, silence: Silence, watermark: float, now: float, is_blind: bool) -> None:
        if why := self._excuses.why(silence.group, now):
            self._end(silence.group, why)
            return
        last = float(self._sums.last_s[silence.row])
        if last <= silence.since + 1.0:
            row, since = silence.row, silence.since
            silence.nats = float(self._evidence.nats(np.array([row]), watermark)[0])
            silence.expected = self._evidence.expected(row, since, watermark)
            if self._is_holiday(silence):
                self._end(silence.group, "it is as quiet as on its day off, as others are")
            return
        if silence.resumed_at is None:
            silence.resumed_at = last
        if not is_blind:
            self._close_if_back(silence, watermark, now)

    def _is_holiday(self, silence: Silence) -> bool:
        """Whether its customer is free, and not quieter than on its day off."""
        if not self._day_off.is_holiday(silence.group):
            return False
        rows = np.array([silence.row])
        nats = silence.nats * (1.0 - self._day_off.share_of(rows)[0])
        return bool(nats < self._evidence.bar(rows, self._levels.flow_count)[0])

    def _close_if_back(self, silence: Silence, watermark: float, now: float) -> None:
        row, resumed_at = silence.row, silence.resumed_at or watermark
        minute = int(watermark // 60)
        window = self._sums.window_of(np.array([row]), minute, _RECENT_MINUTES)[:, 0]
        after = np.arange(minute - _RECENT_MINUTES + 1, minute + 1) > silence.since // 60
        count = float(window[after].sum())
        interval = max(float(self._evidence.interval_s(np.array([row]))[0]), 20.0)
        rate = float(self._habit.rate(np.array([row]), int(watermark // 3600) % WEEK)[0])
        needed = max(1.0, _FAIR_SHARE * rate * interval / 3600.0)
        # A sparse sender may be back with a line older than the window.
        is_back = count >= needed or (needed <= 1.0 and resumed_at > silence.since)
        if is_back or watermark - resumed_at > _LOW_LEVEL_S:
            self._end(silence.group, self._back(silence, count, now, is_back))
            self._start_again_below(silence, watermark)

    def _start_again_below(self, silence: Silence, watermark: float) -> None:
        """What was quiet because of this level has until now to speak again."""
        scope = self._levels.groups[silence.group].scope
        flows = self._levels.flows_within(scope)
        rows = np.unique(self._levels.flow_rows[flows])
        below = [
            group
            for group in np.unique(self._levels.row_group[rows[rows > 0]]).tolist()
            if group != silence.group and _is_below(self._levels.groups[group].scope, scope)
        ]
        self._evidence.count_from(self._levels.primary_rows[below], watermark)
        for group in below:
            self.open.pop(group, None)
        self._deadlines.take_back(np.array(below, np.int64))

    def _back(self, silence: Silence, count: float, now: float, is_back: bool) -> str:
        at = silence.resumed_at or now
        last_s = float(self._sums.last_s[silence.row])
        if self._sums.live_gaps.is_filled(silence.row, silence.since, last_s):
            return f"its messages since {at_utc(silence.since, now)} came late: nothing was missing"
        reason = f"messages came back at {at_utc(at, now)} after {duration(at - silence.since)}"
        if not is_back:
            return f"{reason}, at a lower level than before"
        return f"{reason}: {number(count)} in the last minutes" if count else reason

    def _end(self, group: int, reason: str) -> None:
        del self.open[group]
        self.ended[group] = reason
        self._deadlines.take_back(np.array([group]))


def _is_below(scope: Scope, above: Scope) -> bool:
    return all(wanted in {None, given} for wanted, given in zip(above, scope, strict=True))
