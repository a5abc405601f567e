"""The token bucket: how much of something may come in a second, with a burst.

Pure: the time is an argument. Over any stretch of `t` seconds it admits at most
`rate * t + burst`; an amount larger than the burst is admitted when the bucket is full, and paid
off before anything else comes in, so that a large body is late but never stuck.

Source: the token bucket of RFC 2697, section 3, with a debt for amounts above the burst.
"""

from __future__ import annotations


class TokenBucket:
    """Starts full. Not thread-safe."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """An allowance.

        Args:
            rate: tokens a second, above 0.
            burst: tokens that gather at most, above 0.
            now: epoch seconds.
        """
        self._rate, self._burst = rate, burst
        self._level, self._at = burst, now

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until there is room for `amount`, if nothing else is taken; 0: there is now."""
        self._refill(now)
        return max(min(amount, self._burst) - self._level, 0.0) / self._rate

    def take(self, amount: float) -> None:
        """Spend `amount`; what is above the level becomes a debt. A negative one is given back."""
        self._level = min(self._level - amount, self._burst)

    def is_full(self, now: float) -> bool:
        """Whether it holds no memory of anything that came in: it could be made anew."""
        self._refill(now)
        return self._level >= self._burst

    def _refill(self, now: float) -> None:
        """A clock that is set back costs nothing but the time since the last look."""
        gained = max(now - self._at, 0.0) * self._rate
        self._level = min(self._level + gained, self._burst)
        self._at = now
