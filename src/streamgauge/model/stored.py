"""How much the store holds of a range: what a move is checked against."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredCount:
    """Of one measurement in whole days."""

    db: str
    """Empty for `messages`, whose sums do not know it."""
    measurement: str
    count: int
    """Messages, at all stages; of other measurements their numbers. Strings and booleans are kept
    as they came only, and not counted here."""
