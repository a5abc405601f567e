"""A group whose messages fail: what `errors` proves and `error_fold` tells."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Failing:
    """One group whose messages fail more than usual."""

    group: int
    since: float
    """Epoch seconds: the minute in which it began."""
    fired_at: float
    nats: float
    failed: int
    total: int
    usual: float
    """Upper bound of the usual share."""
    worst: float
    """The share of failures since it began."""
    others_suspicious: list[int] = field(default_factory=list)
    """Groups beside it that look bad, though it is not proven."""
    good_before: float = 0.0
    """The same of the minutes up to `judged_until`, which are settled."""
    judged_until: int = -1
    """Minute since the epoch."""
    last_minute: int = -1
    """The newest minute in which anything ended, well or not."""
    good_nats: float = 0.0
    """Evidence that it is over."""
