"""What is given up and given back, case by case."""

from __future__ import annotations

import pytest

from streamgauge.govern.giving import DAY_S, GivingSettings, decide
from streamgauge.model.budget import GivenUp
from streamgauge.model.usage import Level, PartitionUsage, StoreUsage

NOW = 20_000 * DAY_S
SETTINGS = GivingSettings(raw_s=7 * DAY_S, minute_s=35 * DAY_S)


def a_store(raw: int = 8, minutes: int = 5, each: int = 10, today: int = 10) -> StoreUsage:
    """`raw` days and `minutes` weeks before now, of `each` bytes, and hours that nobody drops."""
    parts = [_part(Level.RAW, NOW - n * DAY_S, DAY_S, each) for n in range(1, raw + 1)]
    parts += [_part(Level.MINUTE, NOW - 7 * n * DAY_S, 7 * DAY_S, each) for n in range(1, minutes)]
    parts += [_part(Level.RAW, NOW, DAY_S, today), _part(Level.HOUR, 0.0, NOW, each)]
    return StoreUsage(NOW, parts)


def _part(level: Level, begin: float, length: float, size: int) -> PartitionUsage:
    return PartitionUsage(level.value, level, str(begin), size, 1, begin, begin + length)


@pytest.mark.parametrize(
    ("used_ratio", "is_given"),
    [(0.8999, False), (0.9001, True)],
    ids=["just below the mark nothing goes", "just over it something does"],
)
def test_nothing_goes_up_to_the_mark(used_ratio: float, is_given: bool) -> None:
    usage = a_store(raw=7)
    decision = decide(usage, usage.total_bytes / used_ratio, {}, GivenUp(), SETTINGS)
    assert decision.given_up.is_anything == is_given
    assert bool(decision.reason) == is_given


def test_raw_lines_alone_go_where_they_are_enough() -> None:
    usage = a_store(raw=7)
    given = decide(usage, usage.total_bytes / 0.95, {}, GivenUp(), SETTINGS).given_up
    assert given.raw_s is not None
    assert given.raw_s < 7 * DAY_S
    assert given.minute_s is None
    assert given.since == NOW


def test_minutes_go_when_raw_lines_are_at_their_floor() -> None:
    usage = a_store(raw=1)
    given = decide(usage, usage.total_bytes / 0.95, {}, GivenUp(), SETTINGS).given_up
    assert given.minute_s is not None
    assert given.minute_s >= SETTINGS.minute_floor_s


def test_only_in_the_last_resort_do_todays_lines_go() -> None:
    usage = a_store(raw=0, minutes=0)
    assert not decide(usage, usage.total_bytes / 0.95, {}, GivenUp(), SETTINGS).is_last_resort
    assert decide(usage, usage.total_bytes / 0.98, {}, GivenUp(), SETTINGS).is_last_resort


def test_nothing_more_goes_where_what_is_too_old_is_enough() -> None:
    usage = a_store(raw=8)
    given = GivenUp(raw_s=3 * DAY_S, since=NOW - 1)
    assert decide(usage, usage.total_bytes / 0.92, {}, given, SETTINGS).given_up == given


@pytest.mark.parametrize(
    ("limit", "intake", "is_longer"),
    [
        (1000.0, {Level.RAW: 10.0, Level.MINUTE: 1.0}, True),
        (110.0, {Level.RAW: 10.0, Level.MINUTE: 1.0}, False),
        (1000.0, {}, False),
    ],
    ids=["there is room for it once it is full", "it would not fit then", "intake is not known"],
)
def test_retention_grows_again_only_as_far_as_it_will_fit(
    limit: float, intake: dict[Level, float], is_longer: bool
) -> None:
    usage = a_store(raw=2, minutes=3)
    given = GivenUp(raw_s=2 * DAY_S, since=NOW - 1)
    after = decide(usage, limit, intake, given, SETTINGS).given_up
    assert (after.raw_s == 3 * DAY_S) == is_longer
