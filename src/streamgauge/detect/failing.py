"""A group whose messages fail: what `errors` proves and `error_fold` tells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Failing:
    """One group whose messages fail more than usual."""

    group: int
    since: float
    """Epoch seconds: the minute in which it began."""
    fired_at: float
    nats: float
    usual: float
    """Upper bound of the usual share."""
    failed: int = 0
    total: int = 0
    worst: float = 0.0
    """The share that fails at least, since it began."""
    is_of_several: bool = False
    """Of an integration: proven by what several customers say together."""
    is_borne: bool = False
    """Not proven by itself: one of several."""
    reason: str = ""
    """Why most failed, when that was last known."""
    new_reason: str = ""
    """Why most fail, where that is a reason that was not usual there."""
    counted_until: int = -1
    """Hour since the epoch, up to which these are counted once and for all: …"""
    failed_before: float = 0.0
    total_before: float = 0.0
    good_before: float = 0.0
    """Evidence that it is over, of the minutes up to `judged_until`, which are settled."""
    judged_until: int = -1
    """Minute since the epoch."""
    last_minute: int = -1
    """The newest minute in which anything ended, well or not."""
    good_nats: float = 0.0
    """Evidence that it is over."""
