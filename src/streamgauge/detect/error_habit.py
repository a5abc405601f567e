"""How often each group's messages usually fail, and how much that differs from hour to hour.

1. The usual share is the empirical-Bayes mean of the group's own hours (prior: that of the typical
   customer of its integration, or of all, worth 30 messages) plus a standard error, more in its
   first hours.
2. The dispersion v is the relative variance of an hour's share beyond chance, by moments that weigh
   hours by what they tell, with the fleet's own v worth ten hours. An hour counts no more than six
   times the usual: one bad day does not hide the next.
3. The last hour, hours of incidents and those since which one is suspected are left out of the
   share, so that none is learned. While there are few hours the last one counts, as if all of it
   had been like its calmer half.

Only groups that are asked for are learned, once an hour while all is young, then every six; of many
some at a turn, who was never asked for first.

Source: empirical Bayes for proportions, Efron & Hastie, Computer Age Statistical Inference,
chapter 6; moments of overdispersion, Clark & Perry, Biometrics 45 (1989).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown
from streamgauge.detect.error_evidence import Shares
from streamgauge.detect.error_incidents import Incidents
from streamgauge.detect.levels import Channel, Level, Levels
from streamgauge.detect.sums import Sums

_PRIOR_MESSAGES = 30.0
_LOWEST, _HIGHEST = 0.0005, 0.9
_HIGHEST_PRIOR = 0.2
_WORST_TIMES = 6.0
_PRIOR_HOURS = 10.0
_PRIOR_DISPERSION = 0.5
_DISPERSION = (0.03, 4.0)
_POOLED_GROUPS = 500
_TYPICAL, _TYPICAL_MESSAGES, _PRIOR_CUSTOMERS = 0.005, 300.0, 5.0
_YOUNG_HOURS = 5.0
"""A few hours say little of a share that is drawn anew by the hour."""
_NEW_HOURS = 3.0
_FEW_HOURS = 6
_LEAST_OF_HALF = 0.25
"""Of an hour's messages: a half with fewer does not tell how calm it was."""
_AT_ONCE, _AGAIN = 1024, 256
"""So many groups are learned at once; and at a turn, of those that were learned before."""
_CHANNELS = (Channel.OUT, Channel.BETWEEN, Channel.IN)


class _Learned(IntEnum):
    NEVER, LONG_AGO, NOW = range(3)


class ErrorHabit:
    """Usual failure shares, computed when first asked for and kept for some hours."""

    def __init__(self, levels: Levels, sums: Sums) -> None:
        self._levels, self._sums = levels, sums
        self._turn = -1
        self._learned: Array = np.zeros(64, np.uint8)
        """[groups]: of `_Learned`."""
        self._has_old = False
        self._last_hour = -1
        """It counts though it may be the beginning of trouble; -1: there are others."""
        self._own_prior: tuple[Ints, Floats] = (np.zeros(0, np.int64), np.zeros(0))
        """Groups, ascending, of integrations with a share of their own, and that share."""
        self._typical = _LOWEST
        self.mean: Floats = np.zeros(64, np.float32)
        """The usual share [groups] of failures, on the safe side."""
        self.dispersion: Floats = np.zeros(64, np.float32)
        """Relative variance [groups] of an hour's share."""
        self.per_day: Floats = np.zeros(64, np.float32)
        """Messages [groups] a day."""
        self._pooled = _PRIOR_DISPERSION
        self.known_hours: Floats = np.zeros(64, np.float32)
        """Hours [groups] with messages that were learned from."""
        self.incidents = Incidents()
        """No part of the usual share."""
        self.suspected: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        """Groups, ascending, that may have an incident, and since which hour."""

    def forget(self) -> None:
        """Learn again at the next question."""
        self._turn = -1

    def know(self, hour: int, groups: Ints) -> None:
        """Make sure that the habit of `groups` is there, from hours before `hour` - 1."""
        self._make_room()
        known = self._sums.hours.known()
        oldest = int(known[0]) if len(known) else hour
        turn = hour // (1 if hour - oldest < 72 else 6)
        is_young = hour - oldest < _FEW_HOURS
        until, self._last_hour = (hour, hour - 1) if is_young else (hour - 1, -1)
        if turn != self._turn:
            self._turn = turn
            self._learn_fleet(until)
            self._learned[self._learned == _Learned.NOW] = _Learned.LONG_AGO
            self._has_old = True
        fresh = np.unique(groups[self._learned[groups] == _Learned.NEVER])
        if self._has_old:
            # Whoever was asked for lately will be again.
            old = np.flatnonzero(self._learned == _Learned.LONG_AGO)
            asked = np.isin(old, groups)
            old = np.concatenate([old[asked], old[~asked]])
            self._has_old = len(old) > _AGAIN
            fresh = np.concatenate([fresh, old[:_AGAIN]])
        # Those of one customer together: they have the same flows.
        fresh = fresh[np.argsort(self._levels.tenants_of_groups(fresh), kind="stable")]
        for start in range(0, len(fresh), _AT_ONCE):
            self._learn(fresh[start : start + _AT_ONCE], until)
        self._learned[fresh] = _Learned.NOW

    def shares(self, groups: Ints) -> Shares:
        """What the evidence of known groups is weighed with."""
        usual, dispersion = self.mean[groups], self.dispersion[groups]
        return Shares(usual.astype(np.float64), dispersion.astype(np.float64))

    def upper(self, groups: Ints) -> Floats:
        """Shares [groups] that an hour usually stays under."""
        return np.minimum(self.mean[groups] * (1.0 + 2.0 * np.sqrt(self.dispersion[groups])), 0.9)

    def hour(self, groups: Ints, hour: int) -> tuple[Floats, Floats]:
        """Failures and ends [groups] of one hour."""
        failed, total = self.hours(groups, np.array([hour]))
        return failed[0], total[0]

    def is_new(self, groups: Ints) -> Bools:
        """Whether so little is known of groups that they may send any number of messages."""
        return self.known_hours[groups] < _NEW_HOURS

    def hours(self, groups: Ints, hours: Ints) -> tuple[Floats, Floats]:
        """Failures and ends, [hours, groups], of some hours, ascending."""
        rows = self._levels.channel_rows[groups]
        asked, place = np.unique(rows, return_inverse=True)
        has_none = int((rows < 0).any())  # -1 is the first of them then
        local = place.reshape(rows.shape) - has_none
        counts, lost = self._sums.hours.series(asked[asked >= 0], hours)
        return ends(local, counts.astype(np.float64), lost.astype(np.float64))

    def minutes(self, groups: Ints, last: int, count: int) -> tuple[Floats, Floats]:
        """Failures and ends, [count, groups], of the minutes up to `last`; of two hours at most."""
        rows = self._levels.channel_rows[groups]
        asked, place = np.unique(rows, return_inverse=True)
        local = np.where(rows >= 0, place.reshape(rows.shape), -1)
        asked = np.maximum(asked, 0)
        return ends(
            local,
            self._sums.window_of(asked, last, count).astype(np.float64),
            self._sums.window_of(asked, last, count, failed=True).astype(np.float64),
        )

    def failing_in(self, hour: int) -> Ints:
        """Groups with a failure in an hour."""
        return self._sums.hours.failing(hour)

    def _make_room(self) -> None:
        size = self._levels.group_count
        self.mean, self.per_day = grown(self.mean, size, 0.0), grown(self.per_day, size, 0.0)
        self.dispersion = grown(self.dispersion, size, 0.0)
        self.known_hours = grown(self.known_hours, size, 0.0)
        self._learned = grown(self._learned, size, _Learned.NEVER)

    def _learn_fleet(self, until: int) -> None:
        """The typical customer's share, by integration, and how much hours differ."""
        levels = self._levels
        some = np.array(levels.of_level(Level.TENANT_INTEGRATION)[:_POOLED_GROUPS], np.int64)
        failed, total = self._hours(some, until)
        usual = ~self.incidents.within(some, self._known_hours(until))
        failed, total = failed * usual, total * usual
        n = total.sum(0)
        share = (failed.sum(0) + 0.25) / (n + 125.0)
        is_known = n >= _TYPICAL_MESSAGES
        typical = float(np.median(share[is_known])) if is_known.any() else _TYPICAL
        self._typical = float(np.clip(typical, _LOWEST, _HIGHEST_PRIOR))
        self._own_prior = self._of_integrations(some[is_known], np.log(share[is_known]))
        above, below = _moments(failed, total, failed.sum(0) / np.maximum(n, 1.0))
        found = (above.sum() + _PRIOR_HOURS * _PRIOR_DISPERSION) / (below.sum() + _PRIOR_HOURS)
        self._pooled = float(np.clip(found, *_DISPERSION))

    def _of_integrations(self, known: Ints, logs: Floats) -> tuple[Ints, Floats]:
        """Customers of integrations, ascending, and the share that is typical there."""
        groups, shares = [np.zeros(0, np.int64)], [np.zeros(0)]
        for integration in self._levels.of_level(Level.INTEGRATION):
            members = np.array(self._levels.members.get(integration), np.int64)
            mine = logs[np.isin(known, members)]
            if len(mine):
                sums = len(mine) * np.median(mine) + _PRIOR_CUSTOMERS * np.log(self._typical)
                own = np.clip(
                    np.exp(sums / (len(mine) + _PRIOR_CUSTOMERS)), _LOWEST, _HIGHEST_PRIOR
                )
                groups.append(members)
                shares.append(np.full(len(members), own))
        order = np.argsort(np.concatenate(groups))
        return np.concatenate(groups)[order], np.concatenate(shares)[order]

    def _learn(self, groups: Ints, until: int) -> None:
        failed, total = self._hours(groups, until)
        usual = self._is_usual(groups, total, until)
        n = (total * usual).sum(0) + _PRIOR_MESSAGES
        mean = ((failed * usual).sum(0) + _PRIOR_MESSAGES * self._prior(groups)) / n
        above, below = _moments(failed, total, mean)
        found = (above + _PRIOR_HOURS * self._pooled) / (below + _PRIOR_HOURS)
        sure = 2.0 * np.sqrt((2.0 + 6.0 * found) / (below + _PRIOR_HOURS))
        found = np.clip(found * (1.0 + 0.5 * sure), *_DISPERSION)
        # Each hour is one draw of the share, so many small ones say more than one that is large.
        part = total * usual / np.maximum((total * usual).sum(0), 1.0)
        hours = 1.0 / np.maximum(np.square(part).sum(0), 1.0 / max(len(part), 1))
        young = 1.0 + np.square(_YOUNG_HOURS / hours)
        upper = mean + np.sqrt(mean / n + np.square(mean * young) * found / hours)
        self.mean[groups] = np.clip(upper, _LOWEST, _HIGHEST)
        self.dispersion[groups] = found
        self.known_hours[groups] = (total > 0.0).sum(0)
        active = np.maximum(self.known_hours[groups], 1)
        self.per_day[groups] = np.maximum(24.0 * total.sum(0) / active, 1.0)

    def _hours(self, groups: Ints, until: int) -> tuple[Floats, Floats]:
        """Failures and ends, [hours, groups]."""
        known = self._known_hours(until)
        failed, total = self.hours(groups, known)
        if len(known) and known[-1] == self._last_hour:
            failed[-1] = np.minimum(failed[-1], total[-1] * self._calm_share(groups))
        return failed, total

    def _calm_share(self, groups: Ints) -> Floats:
        """Of the half of the last hour in which fewer [groups] failed."""
        lost, all_ = (
            counts.reshape(2, 30, -1).sum(axis=1)
            for counts in self.minutes(groups, 60 * self._last_hour + 59, 60)
        )
        tells = all_ > _LEAST_OF_HALF * all_.sum(axis=0)
        return np.asarray(np.where(tells, lost / np.maximum(all_, 1.0), 1.0).min(axis=0))

    def _known_hours(self, until: int) -> Ints:
        known = self._sums.hours.known()
        return known[known < until]

    def _prior(self, groups: Ints) -> Floats:
        """The share [groups] that is typical."""
        members, shares = self._own_prior
        found = np.full(len(groups), self._typical)
        if len(members):
            place = np.minimum(np.searchsorted(members, groups), len(members) - 1)
            is_there = members[place] == groups
            found[is_there] = shares[place[is_there]]
        return found

    def _is_usual(self, groups: Ints, total: Floats, until: int) -> Bools:
        """Whether hours [hours, groups] tell what is usual."""
        known = self._known_hours(until)
        usual = ~self.incidents.within(groups, known)
        suspected, since = self.suspected
        if not len(suspected):
            return usual
        place = np.minimum(np.searchsorted(suspected, groups), len(suspected) - 1)
        first = np.where(suspected[place] == groups, since[place], until)
        before = usual & (known[:, None] < first)
        has_enough = (total * before).sum(0) >= _PRIOR_MESSAGES
        return np.where(has_enough, before, usual)


def _moments(failed: Floats, total: Floats, mean: Floats) -> tuple[Floats, Floats]:
    """Excess variance and what it is relative to [groups], of hours [hours, groups]."""
    expected = total * mean
    held = np.minimum(failed, _WORST_TIMES * expected + 3.0)
    weight = 1.0 / np.square(1.0 + expected)
    excess = (np.square(held - expected) - expected) * weight
    return np.maximum(excess.sum(0), 0.0), (np.square(expected) * weight).sum(0)


def ends(rows: Ints, counts: Floats, failed: Floats | None) -> tuple[Floats, Floats]:
    """Failures and all ends [..., groups] of groups, from counts by row.

    What fails on any channel has ended; the rest ends at `delivered`, or where there is no such
    row, on the last channel there is.

    Args:
        rows: int [groups, 3], a row for each channel or -1.
        counts: messages [..., rows]; may be shorter than the largest row.
        failed: failures in the same shape; None: there were none.
    """

    def at(values: Floats, channel: Channel) -> Floats:
        row = rows[:, channel]
        there = (row >= 0) & (row < values.shape[-1])
        return np.where(there, values[..., np.where(there, row, 0)], 0.0)

    lost = [np.zeros(1) if failed is None else at(failed, channel) for channel in _CHANNELS]
    good: Floats = np.zeros(len(rows))
    taken = np.zeros(len(rows), bool)
    for channel, part in zip(_CHANNELS, lost, strict=True):
        use = (rows[:, channel] >= 0) & ~taken
        good = good + np.where(use, at(counts, channel) - part, 0.0)
        taken |= use
    all_lost = np.asarray(sum(lost)) + np.zeros_like(good)
    return all_lost, np.maximum(good, 0.0) + all_lost
