"""Stores over simulated months and years: who is warned, when, and what is given up."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tests.govern.world import DAY_S, GB, Turn, World, growing, jumping, steady

from streamgauge.model.usage import Level

SCALE = 2 if os.environ.get("STREAMGAUGE_NIGHTLY") else 1


def first_day(turns: list[Turn], holds: Callable[[Turn], bool]) -> float | None:
    return next((turn.day for turn in turns if holds(turn)), None)


def run(world: World, days: float) -> list[Turn]:
    return list(world.run(days))


@pytest.mark.parametrize("seed", range(1, 1 + SCALE))
def test_a_store_in_steady_state_alarms_nobody(seed: int) -> None:
    """Raw lines fill up to their retention and stay: growth of the first weeks is no trend."""
    turns = run(World(steady(GB), 32 * GB, seed=seed, hour_s=100 * DAY_S), 150 * SCALE)
    assert not any(turn.is_warned for turn in turns)
    assert not any(turn.decision.reason for turn in turns)
    assert max(turn.used_ratio for turn in turns) > 0.5, "the world is too empty to tell anything"


def test_a_growing_store_warns_at_least_a_week_ahead() -> None:
    world = World(growing(GB, 0.2), 30 * GB)
    turns = run(world, 120)
    warned = first_day(turns, lambda turn: turn.is_warned)
    given = first_day(turns, lambda turn: bool(turn.decision.reason))
    assert warned is not None
    assert given is not None
    assert given - warned >= 6.75
    assert given - warned <= 45


def test_a_large_customer_is_noticed_within_days() -> None:
    turns = run(World(jumping(GB, 60, 4.0), 40 * GB), 75)
    warned = first_day(turns, lambda turn: turn.is_warned)
    assert warned is not None
    assert 60 < warned <= 63


def test_old_lines_brought_in_at_once_alarm_nobody() -> None:
    turns = run(World(steady(GB), 26 * GB, backfill={60.0: 3 * GB}), 90)
    assert not any(turn.is_warned for turn in turns)


def test_raw_lines_go_before_minutes_and_hours_never() -> None:
    world = World(steady(GB), 9 * GB)
    turns = run(world, 100 * SCALE)
    raw = first_day(turns, lambda turn: "raw" in turn.decision.reason)
    minutes = first_day(turns, lambda turn: "minutes" in turn.decision.reason)
    assert raw is not None
    assert minutes is not None
    assert raw < minutes
    assert max(turn.used_ratio for turn in turns) <= 0.97
    at = (20_000 + 100 * SCALE) * DAY_S
    hours = [p for p in world.usage(at).partitions if p.level in {Level.HOUR, Level.DAY}]
    assert min(part.from_s or 0.0 for part in hours) <= 20_000 * DAY_S


def test_what_was_given_up_is_given_back_when_there_is_room() -> None:
    world = World(steady(GB), 12 * GB)
    run(world, 30)
    assert world.given.raw_s is not None
    turns = run(World(steady(GB), 40 * GB, given=world.given, history=world.history), 5)
    assert turns[-1].decision.given_up.raw_s is None
