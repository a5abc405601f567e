"""A metric that looks like messages or a queue, or a key of hops, that has no meaning for us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unmapped:
    """One name."""

    name: str
    way: str
    """How it comes in: `metrics`, `line protocol`, or `hops`, of which it is a key."""
    series_count: int
    """Different series of that name, as far as they were counted; of a key of hops bodies that have
    it."""
    samples: Sequence[Mapping[str, str]]
    """Labels of a few of them."""
    first_at: float
    """Epoch seconds when it was first seen."""
    last_at: float
    """When a new series of it was last seen; a key of hops, when it was."""
    proposal: str
    """A `[[map]]` to begin with, as TOML; empty: none can help."""
    advice: str = ""
    """What to do where there is no map."""
