"""How often each group's messages usually fail, on the safe side.

The usual share is the empirical-Bayes mean of the group's own hours (prior: the platform's share,
worth 30 messages), plus two standard errors, and not below what 98 of 100 of its busy hours stay
under: bursts that happen every day are habit. The last hour is left out, so that a beginning
incident is not learned. Beta-binomial rho says how far one minute's messages fail together.

Source: empirical Bayes for proportions, Efron & Hastie, Computer Age Statistical Inference,
chapter 6; moments of rho, Griffiths, Biometrics 29 (1973).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown
from streamgauge.detect.levels import Channel, Level, Levels, Names
from streamgauge.detect.sums import Sums

_PRIOR_MESSAGES = 30.0
_LOWEST, _HIGHEST = 0.001, 0.9
_BUSY_HOUR = 20
_HABITUAL = 0.98
_PRIOR_RHO = 5e-4
_PRIOR_RHO_HOURS = 5.0
_CHANNELS = (Channel.OUT, Channel.BETWEEN, Channel.IN)


class ErrorHabit:
    """Usual failure shares, computed when first asked for and kept for some hours."""

    def __init__(self, levels: Levels, sums: Sums) -> None:
        self._levels, self._sums = levels, sums
        self._known: tuple[int, int] = (-1, 0)
        self.share: Floats = np.zeros(64)
        """Upper bound [groups] of the usual share of failures."""
        self.rho: Floats = np.full(64, _PRIOR_RHO)
        self.per_day: Floats = np.zeros(64)
        """Messages [groups] a day."""

    def forget(self) -> None:
        """Learn again at the next question."""
        self._known = (-1, 0)

    def know(self, hour: int, without_from: dict[int, int]) -> None:
        """Make sure that the habit of all groups is there, from hours before `hour` - 1.

        Args:
            hour: the running hour (since the epoch).
            without_from: hours from this one on are not learned, by group: an open incident.
        """
        size = len(self._levels.groups)
        self.share, self.rho = grown(self.share, size, 0.0), grown(self.rho, size, _PRIOR_RHO)
        self.per_day = grown(self.per_day, size, 0.0)
        oldest = min(self._sums.counts, default=hour)
        turn, known = hour // (1 if hour - oldest < 72 else 6), self._known
        if known == (turn, size):
            return
        fresh = np.arange(known[1] if known[0] == turn else 0, size)
        platform = self._levels.find(Names(Level.PLATFORM)) or 0
        asked = np.append(fresh, platform)
        until = hour - 1 if hour - oldest >= 6 else hour
        failed, total = self._hours(asked, until, without_from)
        prior = (failed[:, -1].sum() + 2.0) / (total[:, -1].sum() + 40.0)
        self._learn(fresh, failed[:, :-1], total[:, :-1], float(np.clip(prior, _LOWEST, 0.2)))
        self._known = (turn, size)

    def _learn(self, groups: Ints, failed: Floats, total: Floats, prior: float) -> None:
        n = total.sum(0) + _PRIOR_MESSAGES
        mean = (failed.sum(0) + _PRIOR_MESSAGES * prior) / n
        upper = mean + 2.0 * np.sqrt(mean / n)
        busy = total >= _BUSY_HOUR
        # Of small hours only what chance does not explain counts: 1 of 20 is no share of 5 %.
        beyond = np.maximum(failed - 2.0 * np.sqrt(total * mean + 1.0), 0.0)
        shares = np.where(busy, beyond / np.maximum(total, 1.0), 0.0)
        ordered = np.sort(shares, axis=0)[::-1]
        above = np.floor((1.0 - _HABITUAL) * busy.sum(0)).astype(int)
        places = np.minimum(above, max(len(ordered) - 1, 0))
        often = ordered[places, np.arange(len(groups))] if len(ordered) else 0.0
        # A short history's worst hour is no habit yet.
        often = np.where(busy.sum(0) >= 24, often, 0.0)
        self.share[groups] = np.clip(np.maximum(upper, often), _LOWEST, _HIGHEST)
        own = np.clip(failed.sum(0) / np.maximum(total.sum(0), 1.0), 1e-6, 0.999)
        chance = total * own * (1.0 - own)
        excess = np.where(busy, (failed - total * own) ** 2 - chance, 0.0).sum(0)
        weight = np.where(busy, chance * np.maximum(total - 1.0, 0.0), 0.0)
        hold = _PRIOR_RHO_HOURS * weight.sum(0) / np.maximum(busy.sum(0), 1)
        found = (np.maximum(excess, 0.0) + _PRIOR_RHO * hold) / np.maximum(
            weight.sum(0) + hold, 1e-9
        )
        self.rho[groups] = np.clip(np.where(weight.sum(0) > 0.0, found, _PRIOR_RHO), 1e-4, 0.3)
        hours = np.maximum((total > 0.0).sum(0), 1)
        self.per_day[groups] = np.maximum(24.0 * total.sum(0) / hours, 1.0)

    def _hours(
        self, groups: Ints, until: int, without_from: dict[int, int]
    ) -> tuple[Floats, Floats]:
        """Failures and ends, [hours, groups]."""
        hours = sorted(h for h in self._sums.counts if h < until)
        failed, total = np.zeros((len(hours), len(groups))), np.zeros((len(hours), len(groups)))
        rows = self._levels.channel_rows[groups]
        for place, hour in enumerate(hours):
            failed[place], total[place] = ends(
                rows, self._sums.counts[hour], self._sums.failed.get(hour)
            )
        for group, start in without_from.items():
            for column in np.flatnonzero(groups == group):
                gone = np.array(hours, np.int64) >= start
                failed[gone, column] = total[gone, column] = 0.0
        return failed, total


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
