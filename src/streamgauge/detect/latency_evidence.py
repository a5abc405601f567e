"""CUSUMs of slow messages, beyond two quantiles, and what came since each left zero.

As of errors: W ← max(0, W + k·ln(p₁/p₀) + (n-k)·ln((1-p₁)/(1-p₀))) for k slow ones of n, both
divided by 1 + (m-1)·rho for m messages in a usual hour, for those of an hour are slow together. The
evidence of all since W left zero is n·KL(k/n, p₀), divided alike by what came in an hour.

Sources: Page, Biometrika 41 (1954); the tail, Chernoff, Ann. Math. Stat. 23 (1952).
"""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints, grown

_TIMES, _LEAST = (3.0, 5.0), (0.2, 0.06)
"""The shares that the CUSUMs look for: so many times the usual, at least this."""
_MOST_NATS = 40.0


class SlowRuns:
    """Arrays by place, [places, 2] for the two quantiles; a place takes 32 bytes."""

    def __init__(self) -> None:
        self.nats: Floats = np.zeros((64, 2), np.float32)
        self.count: Floats = np.zeros((64, 2), np.float32)
        self.slow: Floats = np.zeros((64, 2), np.float32)
        self.since_minute: Ints = np.zeros((64, 2), np.int32)

    def make_room(self, places: int) -> None:
        """Grow to `places`."""
        for name, array in list(vars(self).items()):
            setattr(self, name, grown(array, places, 0))

    def add(
        self,
        at: Ints,
        total: Floats,
        slow: Floats,
        usual: Floats,
        weight: Floats,
        minute: int,
    ) -> None:
        """What came to the places `at`.

        Args:
            at: places.
            total: messages [places].
            slow: of those the slow ones, [places, 2].
            usual: their usual share, [places, 2].
            weight: what one message is worth, [places, 2].
            minute: in which it began to come.
        """
        looked_for = np.clip(np.maximum(usual * np.array(_TIMES), _LEAST), None, 0.95)
        usual = np.minimum(usual, 0.9 * looked_for)
        good = total[:, None] - slow
        step = slow * np.log(looked_for / usual) + good * np.log1p(-looked_for)
        step = weight * (step - good * np.log1p(-usual))
        before = self.nats[at]
        after = np.clip(before + step, 0.0, _MOST_NATS)
        goes_on, is_new = after > 0.0, before <= 0.0
        self.nats[at] = after
        for array, value in ((self.count, total[:, None]), (self.slow, slow)):
            array[at] = np.where(goes_on, np.where(is_new, 0.0, array[at]) + value, 0.0)
        self.since_minute[at] = np.where(is_new, minute, self.since_minute[at])

    def evidence(self, at: Ints, usual: Floats, rho: Floats, minute: int) -> Floats:
        """Nats [places, 2] of all that came since each left zero."""
        count = np.maximum(self.count[at].astype(float), 1e-9)
        hours = np.maximum((minute - self.since_minute[at]) / 60.0, 1.0)
        share = np.clip(self.slow[at] / count, 1e-9, 1.0 - 1e-9)
        apart = share * np.log(share / usual) + (1.0 - share) * np.log(
            (1.0 - share) / (1.0 - usual)
        )
        worth = count / (1.0 + np.maximum(count / hours - 1.0, 0.0) * rho)
        return np.asarray(np.where(share > usual, worth * apart, 0.0))

    def share(self, at: Ints) -> Floats:
        """Slow ones of all [places, 2] since each left zero."""
        return np.asarray(self.slow[at] / np.maximum(self.count[at], 1e-9))

    def forget(self, at: Ints) -> None:
        """Begin anew."""
        self.nats[at] = self.count[at] = self.slow[at] = 0.0
