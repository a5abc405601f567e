"""What the hours before the last one say of failures: evidence that grows over days.

A customer of five messages a day has failed for good when three days' messages did. One number a
group and larger share is kept, only of groups that have evidence, and moved on once an hour.
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.error_evidence import ALTERNATIVES
from streamgauge.detect.error_habit import ErrorHabit

_REBUILT_HOURS = 72
_MOST_NATS = 40.0
_SUSPECT_NATS = 3.0
_GIVEN_UP_NATS = 8.0
"""Evidence so far below its own peak has been answered: it begins anew."""


class ErrorPast:
    """Evidence of groups at the end of the hour before the last."""

    def __init__(self, habit: ErrorHabit) -> None:
        self._habit = habit
        self.groups: Ints = np.zeros(0, np.int64)
        """Those with any, ascending."""
        self._nats: Floats = np.zeros((0, ALTERNATIVES))
        self._peak: Floats = np.zeros((0, ALTERNATIVES))
        self._since: Ints = np.zeros((0, ALTERNATIVES), np.int64)
        self._until = -1

    def advance(self, hour: int, is_fresh: dict[int, int]) -> None:
        """Take all hours up to `hour`.

        Args:
            hour: since the epoch.
            is_fresh: by group, the hour up to which everything was told and is over.
        """
        if self._until < 0 or not self._until <= hour <= self._until + _REBUILT_HOURS:
            self._forget_all()
            self._until = hour - _REBUILT_HOURS
            hours = range(self._until + 1, hour + 1)
            failing = np.concatenate([self._habit.failing_in(h) for h in hours])
            # At once: each question reads all hours.
            self._habit.know(hour + 2, np.unique(failing).astype(np.int64))
        while self._until < hour:
            self._until += 1
            self._add(self._until, hour + 2, is_fresh)

    def forget(self, groups: Ints) -> None:
        """They were told, and are over."""
        self._nats[np.isin(self.groups, groups)] = 0.0

    def of(self, groups: Ints) -> tuple[Floats, Ints]:
        """Nats [groups, alternatives], and the hour in which each began."""
        nats = np.zeros((len(groups), ALTERNATIVES))
        since = np.full(nats.shape, self._until, np.int64)
        if len(self.groups):
            place = np.minimum(np.searchsorted(self.groups, groups), len(self.groups) - 1)
            is_there = self.groups[place] == groups
            nats[is_there] = self._nats[place[is_there]]
            since[is_there] = self._since[place[is_there]]
        return nats, since

    def suspected(self) -> tuple[Ints, Ints]:
        """Groups with some evidence, ascending, and the hours in which theirs began."""
        if not len(self.groups):
            return self.groups, np.zeros(0, np.int64)
        best = self._nats.argmax(axis=1)[:, None]
        some = np.flatnonzero(np.take_along_axis(self._nats, best, axis=1)[:, 0] >= _SUSPECT_NATS)
        return self.groups[some], np.take_along_axis(self._since, best, axis=1)[some, 0]

    def _forget_all(self) -> None:
        self.groups = np.zeros(0, np.int64)
        self._nats = self._peak = np.zeros((0, ALTERNATIVES))
        self._since = np.zeros((0, ALTERNATIVES), np.int64)

    def _add(self, hour: int, now: int, is_fresh: dict[int, int]) -> None:
        groups = np.union1d(self.groups, self._habit.failing_in(hour)).astype(np.int64)
        if not len(groups):
            return
        nats, since = self.of(groups)
        peak = np.zeros(nats.shape)
        peak[np.searchsorted(groups, self.groups)] = self._peak
        failed, total = self._habit.hour(groups, hour)
        self._habit.know(now, groups)
        step = self._habit.shares(groups).nats(failed, total)
        told = np.array([is_fresh.get(group, -1) for group in groups.tolist()])
        step[told >= hour] = 0.0
        since = np.where(nats <= 0.0, hour, since)
        nats = np.minimum(np.maximum(nats, 0.0) + step, _MOST_NATS)
        peak = np.maximum(np.where(nats <= 0.0, 0.0, peak), nats)
        nats = np.where((nats <= 0.0) | (peak - nats >= _GIVEN_UP_NATS), 0.0, nats)
        keep = (nats > 0.0).any(axis=1)
        self.groups, self._nats = groups[keep], nats[keep]
        self._peak = np.where(nats > 0.0, peak, 0.0)[keep]
        self._since = since[keep]
