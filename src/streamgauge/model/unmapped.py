"""A metric that looks like messages or a queue, and that nobody said the meaning of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One name."""

    name: str
    way: str
    """How it comes in: `metrics` or `line protocol`."""
    series_count: int
    """Different series of that name, as far as they were counted."""
    samples: Sequence[Mapping[str, str]]
    """Labels of a few of them."""
    first_at: float
    """Epoch seconds when it was first seen."""
    last_at: float
    """When a new series of it was last seen."""
    proposal: str
    """A `[[map]]` to begin with, as TOML."""
