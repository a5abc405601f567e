"""When a notification that was not taken is tried again. Pure but for the generator it is given."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with equal jitter.

    Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    first_s: float = 5.0
    most_s: float = 900.0
    give_up_after_s: float = 86_400.0
    """Counted from when the notification was made."""

    def delay_s(self, attempt: int, random: Random, retry_after_s: float | None = None) -> float:
        """Seconds to wait after the `attempt`-th failure (1 for the first).

        Between half and all of `first_s` doubled for each attempt before, at most `most_s`; never
        less than the receiver asked for.
        """
        doublings = min(attempt - 1, 30)
        longest = min(self.most_s, self.first_s * 2.0**doublings)
        waited = longest / 2 + random.random() * longest / 2
        return max(waited, retry_after_s or 0.0)

    def retry_at(
        self,
        created_at: float,
        now: float,
        attempt: int,
        random: Random,
        retry_after_s: float | None = None,
    ) -> float | None:
        """Epoch seconds of the next attempt; None when it is time to give up."""
        at = now + self.delay_s(attempt, random, retry_after_s)
        return at if at - created_at <= self.give_up_after_s else None
