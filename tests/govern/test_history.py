"""What came in each day: a level of which nothing is known is unknown, not 0."""

from __future__ import annotations

from streamgauge.govern.assess import intake_a_day
from streamgauge.govern.history import DAY_S, History, observed
from streamgauge.model.usage import Level, PartitionUsage, StoreUsage

NOW = 20_000 * DAY_S


def part(level: Level, days: float, ended_days_ago: float, size_bytes: int) -> PartitionUsage:
    end = NOW - ended_days_ago * DAY_S
    name = f"{end:.0f}"
    return PartitionUsage(level.value, level, name, size_bytes, 1, end - days * DAY_S, end)


def test_of_a_level_without_a_whole_partition_nothing_is_known_at_the_first_look() -> None:
    raw = [part(Level.RAW, 1, ago, 1000) for ago in range(3)]
    hours = part(Level.HOUR, 30, -20, 500)
    history = observed(History(), StoreUsage(NOW, [*raw, hours]), None)
    assert intake_a_day(history) == {Level.RAW: 1000.0}


def test_a_level_that_did_not_grow_while_we_looked_got_nothing() -> None:
    hours = part(Level.HOUR, 30, -20, 500)
    history = observed(History(), StoreUsage(NOW, [hours]), None)
    for look in range(1, 25):
        history = observed(history, StoreUsage(NOW + look * 3600.0, [hours]), None)
    assert intake_a_day(history)[Level.HOUR] == 0.0
