"""How far ends fall short of what was due, against how far they usually do; arrays over places.

Every hour, of m messages due and e that ended, the deficit d = m - e is weighed:

1. Usual deficits: variance by messages, phi = mean d²/m; by squared messages, mean d²/mean m²; and
   what stays from one hour to the next, tau² = mean d·d' / mean m·m' plus two standard errors.
   Outliers count up to four deviations.
2. A run of deficits goes on until ends have caught up, or until three hours were as usual. Its sum
   D over M due has the variance V + tau²·M² + 1 + (M/2000)², V = sum of max(phi·m, rest·m²).
3. Evidence: (n + 1)/2 · ln(1 + D²/(n·variance)) nats, as Student's t with the n hours learned.
4. More ends than were due make a run below zero, once what was owed has been paid back; its
   evidence is also no stronger than that of a Poisson count of the same variance.

Source: moments of overdispersion, Clark & Perry, Biometrics 45 (1989); a run that starts again at
zero, Page, Biometrika 41 (1954).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats, Ints, grown

HOURS_NEEDED = 24.0
_KEPT = 0.9942
"""A deficit of five days (120 hours with messages) ago weighs half."""
_OWED_KEPT = 0.995
_WINSOR = 4.0
_WINSOR_FROM = 12.0
_CALM_HOURS = 3
_LONGEST_RUN_HOURS = 168
_FINEST = 1.0 / 2000.0
"""No ledger is trusted beyond it, however exact it was."""
_PRIOR_HOURS = 2.0
_PEAK_KEPT = 0.999
_PEAK_MOST = 30.0
_LET_GO_PEAK = 15.0
_DOUBTFUL_NATS = 4.5
_DOUBTFUL_HOURS = 24
_NO_HOUR = -1
_MOST_VARIANCE = 1e26
"""Of counts that are no mistake; so that sums of them are numbers of 32 bits."""


class Balance:
    """Deficits of many places; every array is [places], 58 bytes a place together."""

    def __init__(self) -> None:
        self.hours = _floats()
        """Hours learned from, those long ago weighing less."""
        self._by_m, self._squares, self._m_squares = _floats(), _floats(), _floats()
        self._lagged, self._m_lagged = _floats(), _floats()
        self.last_deficit, self.last_due = _floats(), _floats()
        self.missing, self.due, self._variance = _floats(), _floats(), _floats()
        """Of the run that goes on: D (below zero: more ended than was due), M, V."""
        self.since_hour: Ints = np.full(64, _NO_HOUR, np.int32)
        self._owed = _floats()
        """Missing in runs that ended: it may still come."""
        self._top, self.peak_nats = _floats(), _floats()
        """The strongest evidence of this run, and of runs that ended without an incident."""
        self._calm: Ints = np.zeros(64, np.int8)
        self.is_held: Bools = np.zeros(64, bool)
        """Nothing is learned from it, and its run goes on: an incident is open."""

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        if places <= len(self.hours):
            return
        for name, array in list(vars(self).items()):
            setattr(self, name, grown(array, places, _NO_HOUR if name == "since_hour" else 0))

    def forget(self, at: Ints) -> None:
        """Begin anew at these places: what they were compared with has changed."""
        for name, array in vars(self).items():
            array[at] = _NO_HOUR if name == "since_hour" else 0

    def winsorised(self, at: Ints, due: Floats, ends: Floats) -> Floats:
        """Ends [at], not further from what was due than is believed."""
        far = _WINSOR * np.sqrt(self._hour_variance(at, due) + 1.0)
        is_known = self.hours[at] >= _WINSOR_FROM
        return np.where(is_known, np.clip(ends, due - far, due + far), ends)

    def close(self, at: Ints, hour: int, due: Floats, ends: Floats, passed: Floats) -> None:
        """Add an hour of some places (distinct).

        Args:
            at: places [n].
            hour: hours since the epoch.
            due: messages [n] that should have ended.
            ends: messages [n] that did.
            passed: those of them that did not fail.
        """
        known = self.hours[at] >= HOURS_NEEDED
        self._run(at[known], hour, due[known], ends[known], passed[known])
        # What may be the beginning of a loss would widen what is usual, and hide itself.
        hours = hour - self.since_hour[at]
        waits = (self.nats(at) > _DOUBTFUL_NATS) & (hours < _DOUBTFUL_HOURS)
        free = ~self.is_held[at] & ~(waits & known)
        believed = self.winsorised(at, due, ends)
        self._learn(at[free], due[free], (due - believed)[free])
        self.last_deficit[at], self.last_due[at] = due - ends, due

    def correct(self, at: Ints, due: Floats, ends: Floats) -> None:
        """Add what came late to an hour that was closed: what is missing shrinks or grows."""
        deficit, runs = due - ends, self.since_hour[at] != _NO_HOUR
        rows, before = at[runs], self.missing[at[runs]]
        self.missing[rows] += deficit[runs]
        self.due[rows] += due[runs]
        quiet = at[~runs]
        self._owed[quiet] = np.maximum(self._owed[quiet] + deficit[~runs], 0.0)
        self._end_runs(rows[before * self.missing[rows] <= 0.0])

    def nats(self, at: Ints, explained: Floats | float = 0.0) -> Floats:
        """Evidence [at] that more is missing, or too much, than chance and `explained` messages."""
        run = np.maximum(np.abs(self.missing[at]) - explained, 0.0)
        due, hours = np.maximum(self.due[at], 1.0), np.maximum(self.hours[at], 1.0)
        variance = self._run_variance(at, self.due[at], self._variance[at])
        student = 0.5 * (hours + 1.0) * np.log1p(run**2 / (variance * hours))
        extra = run / due
        poisson = due**2 / variance * ((1.0 + extra) * np.log1p(extra) - extra)
        is_surplus = self.missing[at] < 0.0
        return np.asarray(np.where(is_surplus, np.minimum(student, poisson), student))

    def deviation(self, at: Ints) -> Floats:
        """Standard deviation [at] of what is missing in the run."""
        return np.sqrt(self._run_variance(at, self.due[at], self._variance[at]))

    def chance(self, at: Ints, due: Floats) -> Floats:
        """Standard deviation [at] of the deficit of so many messages due in a few hours."""
        return np.sqrt(self._run_variance(at, due, self._hour_variance(at, due)))

    def let_go(self, at: Ints) -> None:
        """An incident ended: start again, and take the next one for less sure."""
        self.is_held[at] = True  # its evidence is no measure of what happens without a fault
        top = np.minimum(self._top[at], _LET_GO_PEAK)
        self.peak_nats[at] = np.maximum(self.peak_nats[at], top)
        self._end_runs(at)
        self.is_held[at] = False

    def _run_variance(self, at: Ints, due: Floats, variance: Floats) -> Floats:
        hours = np.maximum(self.hours[at], 1.0)
        rest = self._squares[at] / np.maximum(self._m_squares[at], 1.0)
        lasting = np.maximum(self._lagged[at] / np.maximum(self._m_lagged[at], 1.0), 0.0)
        lasting = np.minimum(lasting + 2.0 * rest / np.sqrt(hours), rest)
        due = np.asarray(due, np.float64)
        total = variance + lasting * due**2 + 1.0 + (_FINEST * due) ** 2
        return np.asarray(np.minimum(total, _MOST_VARIANCE))

    def _hour_variance(self, at: Ints, due: Floats) -> Floats:
        hours = self.hours[at].astype(np.float64)
        by_m = (self._by_m[at] + _PRIOR_HOURS) / (hours + _PRIOR_HOURS)
        rest = (self._squares[at] / np.maximum(self._m_squares[at], 1.0)).astype(np.float64)
        return np.asarray(np.minimum(np.maximum(by_m * due, rest * due**2), _MOST_VARIANCE))

    def _learn(self, at: Ints, due: Floats, deficit: Floats) -> None:
        for array, value in (
            (self.hours, 1.0),
            (self._by_m, deficit**2 / np.maximum(due, 1.0)),
            (self._squares, deficit**2),
            (self._m_squares, due**2),
            (self._lagged, deficit * self.last_deficit[at]),
            (self._m_lagged, due * self.last_due[at]),
        ):
            array[at] = _KEPT * array[at] + value
        self.peak_nats[at] *= _PEAK_KEPT

    def _run(self, at: Ints, hour: int, due: Floats, ends: Floats, passed: Floats) -> None:
        deficit, variance = due - ends, self._hour_variance(at, due)
        self._note_calm(at, deficit, due, variance)
        self._owed[at] *= _OWED_KEPT
        before = self.missing[at].copy()
        # Nothing but more messages that went well is too much; and it pays what was owed first.
        extra = np.clip(np.minimum(passed - due, -deficit), 0.0, None)
        paid = np.where(before > 0.0, 0.0, np.minimum(extra, self._owed[at]))
        self._owed[at] -= paid
        step = np.where(before > 0.0, deficit, np.where(deficit > 0.0, deficit, paid - extra))
        starts = (self.since_hour[at] == _NO_HOUR) & (step != 0.0)
        self.since_hour[at[starts]] = hour
        runs = self.since_hour[at] != _NO_HOUR
        rows = at[runs]
        self.missing[rows] += step[runs]
        self.due[rows] += due[runs]
        self._variance[rows] += variance[runs]
        self._top[rows] = np.maximum(self._top[rows], self.nats(rows))
        is_over = (before * self.missing[at])[runs] < 0.0
        is_old = hour - self.since_hour[rows] > _LONGEST_RUN_HOURS
        is_over |= ((self._calm[rows] >= _CALM_HOURS) | is_old) & ~self.is_held[rows]
        self._end_runs(rows[is_over])

    def _note_calm(self, at: Ints, deficit: Floats, due: Floats, variance: Floats) -> None:
        """Count the hours in which nothing spoke for the run to go on."""
        share = self.missing[at] / np.maximum(self.due[at], 1e-9)
        near = 2.0 * np.sqrt(variance + 1.0)
        toward, ahead = np.sign(self.missing[at]) * deficit, np.abs(share) * due
        is_calm = (toward <= 0.25 * ahead) & (np.abs(deficit) <= np.maximum(near, ahead))
        is_calm &= due > 0.0
        self._calm[at] = np.where(is_calm, np.minimum(self._calm[at] + 1, 100), 0)

    def _end_runs(self, at: Ints) -> None:
        self._owed[at] += np.maximum(self.missing[at], 0.0)
        free = at[~self.is_held[at]]
        top = np.minimum(self._top[free], _PEAK_MOST)
        self.peak_nats[free] = np.maximum(self.peak_nats[free], top)
        for array in (self.missing, self.due, self._variance, self._top):
            array[at] = 0.0
        self.since_hour[at] = _NO_HOUR


def _floats() -> Array:
    return np.zeros(64, np.float32)
