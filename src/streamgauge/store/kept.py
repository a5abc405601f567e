"""From when on each table holds all there was; before that it was emptied, and knows only what
came late. Kept in the engine, so that a longer retention set later does not make it forget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import DAY, HOUR, LEVELS, NS_A_HOUR, Family, Level


class KeptFrom:
    """Thread-safe: readers get whole maps, of which only retention makes new ones."""

    def __init__(self) -> None:
        self.from_ns: Mapping[str, int] = {}
        """By table; a table that is not there was never emptied."""

    def load(self, engine: Engine) -> None:
        """Read what a former process left.

        Raises:
            StoreError: the engine refused.
        """
        answer = engine.query("SELECT name, max(from_ns) AS from_ns FROM kept_from GROUP BY name")
        self.from_ns = {row["name"]: row["from_ns"] for row in answer.to_pylist()}

    def move(self, engine: Engine, from_ns: Mapping[str, int]) -> None:
        """Write down later beginnings, before the tables are emptied up to there.

        Raises:
            StoreError: the engine refused; nothing has changed.
        """
        later = {name: at for name, at in from_ns.items() if at > self.from_ns.get(name, 0)}
        if later:
            rows = pa.table({"name": list(later), "from_ns": pa.array(later.values(), pa.int64())})
            token = ",".join(f"{name}={at}" for name, at in sorted(later.items()))
            engine.insert("kept_from", rows, token)
            self.from_ns = {**self.from_ns, **later}


@dataclass(frozen=True, slots=True)
class Known:
    """What a question has to know of the levels before it is asked."""

    from_ns: Mapping[str, int] = field(default_factory=dict)
    """See `KeptFrom`."""
    open_hours: frozenset[int] = frozenset()
    """Hours since the epoch to which rows are still to be added; see `Pending`."""
    may_stand_in: bool = True
    """Whether there may be a flow whose last stage stands in for `delivered`; see `ends`."""

    def begins_ns(self, family: Family, level: Level | None) -> int:
        """From when on a level holds everything; None: the rows as received."""
        name = family.raw if level is None else family.table(level)
        return self.from_ns.get(name, 0)

    def finest_at(self, family: Family, at_ns: int) -> Level | None:
        """The finest level that still holds an instant; None: the rows as received do.

        The coarsest level stands for what nothing holds any more.
        """
        for level in (None, *LEVELS):
            if at_ns >= self.begins_ns(family, level):
                return level
        return DAY

    def open_buckets(self, level: Level) -> frozenset[int]:
        """Numbers of the buckets of a level that are not whole yet."""
        if level.unit_ns < HOUR.unit_ns:
            return frozenset()
        hours = level.unit_ns // NS_A_HOUR
        return frozenset(hour // hours for hour in self.open_hours)
