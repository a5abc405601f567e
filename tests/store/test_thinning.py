"""Hops are all kept for a while, then those worth keeping; none is lost or doubled on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pytest
from tests.store.lines import NOW, Row, body, failed_hop

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.store import Store, StoreSettings
from streamgauge.store.engine.engine import Engine
from streamgauge.store.settings import JourneySettings
from streamgauge.store.thinning import thin

pytestmark = pytest.mark.chdb
HOUR, DAY = 3600, 86_400
ROOMY = JourneySettings()
TIGHT = JourneySettings(retention_s=70_000 * DAY, disk_bytes=10**6)
"""An hour's part is some bytes: no message without trouble fits."""


@dataclass
class World:
    """A store whose clock and budget the test sets."""

    store: Store
    clock: SimulatedClock
    settings: JourneySettings = ROOMY
    drops: list[int] = field(default_factory=list)

    def put(self, *hops: Row) -> None:
        self.store.write(body(hops=hops), None, self.clock.now())
        assert self.store.flush(30)

    def thin(self, after_s: float = 0.0) -> int:
        self.clock.advance(after_s)
        return thin(self.engine, self.settings, self.clock.now(), self.store._parts.while_still)

    @property
    def engine(self) -> Engine:
        return self.store._engine

    def count(self, table: str) -> int:
        sql = f"SELECT count() AS n FROM {table}"
        return int(self.engine.query(sql).column("n")[0].as_py())

    def known(self, *ids: str) -> dict[str, int]:
        """How many hops of each message are known."""
        found = {one: self.store.journey(one) for one in ids}
        return {one: len(journey.hops) for one, journey in found.items() if journey}

    def complete(self, message_id: str) -> bool:
        journey = self.store.journey(message_id)
        assert journey is not None
        return journey.is_complete


@contextmanager
def opened(folder: Path, settings: JourneySettings) -> Iterator[World]:
    clock = SimulatedClock(NOW)
    whole = StoreSettings(segment_max_wait_s=0.001, journeys=settings)
    store = Store(f"chdb://{folder}/engine", folder, clock, whole)
    store.open()
    try:
        yield World(store, clock, settings)
    finally:
        store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("thinning"), ROOMY) as made:
        yield made


@pytest.fixture
def world(shared: World) -> World:
    for name in ("hops", "hops_kept", "hops_thinned", "error_samples", "minute", "error_minute"):
        shared.engine.command(f"TRUNCATE TABLE {name}")
    shared.clock = SimulatedClock(NOW)
    shared.settings = ROOMY
    return shared


def walk(message_id: str, at: float, last: Row | None = None, step_s: float = 1.0) -> list[Row]:
    """Three hops of a message."""
    stages = ("received", "processed", "delivered")
    hops: list[Row] = [
        {"id": message_id, "tenant": "a", "stage": stage, "at": at + n * step_s}
        for n, stage in enumerate(stages)
    ]
    return [*hops[:2], {**hops[2], **(last or {})}]


BAD: Row = {"outcome": "error", "reason": "timeout"}


def test_a_journey_is_told_by_time_then_by_stage(world: World) -> None:
    hops: list[Row] = [
        {"id": "m", "tenant": "a", "stage": "delivered", "at": NOW + 1, "latency_s": 1.5},
        {"id": "m", "tenant": "a", "stage": "received", "at": NOW + 1, "bytes": 7, "router": "r1"},
        {"id": "m", "tenant": "a", "stage": "weighed", "at": NOW + 1, "version": "2"},
        {"id": "m", "tenant": "a", "stage": "queued", "at": NOW, "queue_s": 0.25},
        {"id": "m", "tenant": "b", "stage": "late", "at": NOW + 9, **BAD, "error": "no route"},
    ]
    world.put(*hops)
    journey = world.store.journey("m")
    assert journey is not None
    assert (journey.id, journey.is_complete) == ("m", True)
    stages = [hop.stage for hop in journey.hops]
    assert stages == ["queued", "received", "weighed", "delivered", "late"]
    queued, received, weighed, delivered, late = journey.hops
    assert (queued.queue_s, queued.latency_s, queued.error) == (0.25, None, None)
    assert (received.bytes, received.router, weighed.version) == (7, "r1", "2")
    assert (delivered.at, delivered.latency_s, delivered.outcome) == (NOW + 1, 1.5, "ok")
    assert (late.tenant, late.reason, late.error) == ("b", "timeout", "no route")
    mine = world.store.journey("m", "a")
    assert mine is not None
    assert len(mine.hops) == 4
    assert world.store.journey("m", "nobody") is world.store.journey("unknown") is None


@pytest.mark.parametrize(
    ("age_s", "whole"),
    [(3 * HOUR - 1, 3), (3 * HOUR, 0)],
    ids=["two hours after an hour's end all is there", "then it is thinned"],
)
def test_an_hour_is_whole_for_a_while(world: World, age_s: float, whole: int) -> None:
    world.put(*walk("m", NOW))
    world.thin(age_s)
    assert world.count("hops") == whole
    assert world.known("m") == {"m": 3}, "there is room for all of it"
    assert world.complete("m")


def test_where_little_fits_trouble_is_kept_whole_and_the_rest_goes(world: World) -> None:
    world.settings = TIGHT
    usual = [row for n in range(300) for row in walk(f"m{n}", NOW, {"latency_s": 0.1})]
    kept = ["failed", "dropped first", "slow"]
    gone = ["filtered", "retried", "m1", "m2"]
    world.put(
        *usual,
        *walk("failed", NOW, BAD),
        *walk("dropped first", NOW, {"outcome": "dropped"})[::-1],
        *walk("slow", NOW, {"latency_s": 9.0}),
        *walk("filtered", NOW, {"outcome": "filtered", "latency_s": 0.1}),
        *walk("retried", NOW, {"outcome": "retried", "latency_s": 0.1}),
    )
    assert world.thin(3 * HOUR) == 1
    assert world.known(*kept, *gone) == dict.fromkeys(kept, 3)
    assert all(world.complete(each) for each in kept)
    assert world.count("hops") == 0
    assert world.thin() == 0


def test_trouble_in_a_later_hour_keeps_what_came_before_and_after_it(world: World) -> None:
    world.settings = TIGHT
    world.put(
        *walk("late trouble", NOW + HOUR - 1, BAD),
        *walk("early trouble", NOW + HOUR - 1)[1:],
        failed_hop("early trouble", "x", at=NOW),
        *walk("none", NOW + HOUR - 1),
    )
    assert [world.thin(3 * HOUR), world.thin(HOUR)] == [1, 1]
    assert world.known("late trouble", "early trouble", "none") == {
        "late trouble": 3,
        "early trouble": 3,
    }
    assert world.complete("late trouble")


def test_trouble_that_is_known_too_late_leaves_a_journey_incomplete(world: World) -> None:
    world.settings = TIGHT
    world.put(*walk("m", NOW)[:2])
    world.thin(3 * HOUR)
    assert world.known("m") == {}
    late: Row = {"id": "m", "tenant": "a", "at": NOW + 5 * HOUR, **BAD, "latency_s": 5.0 * HOUR}
    world.clock.advance(2 * HOUR)
    world.put(late)
    assert world.known("m") == {"m": 1}
    assert not world.complete("m")


def test_a_share_of_the_rest_is_kept_and_messages_are_whole_or_gone(world: World) -> None:
    ids = [f"m{n}" for n in range(100)]
    world.put(*(row for one in ids for row in walk(one, NOW + HOUR - 2)))
    size = "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'hops'"
    taken = int(world.engine.query(size).column("n")[0].as_py())
    world.settings = JourneySettings(retention_s=14 * HOUR, disk_bytes=taken * 2 // 3)
    world.thin(4 * HOUR)
    known = world.known(*ids)
    shares = world.engine.query("SELECT share FROM hops_thinned ORDER BY hour").to_pylist()
    assert len(shares) == 2
    assert 0.2 < shares[0]["share"] < 0.8
    assert 0.1 < len(known) / len(ids) < 0.9
    least = min(row["share"] for row in shares)
    whole = [one for one, count in known.items() if count == 3]
    assert len(whole) / len(ids) == pytest.approx(least, abs=0.2)
    assert {one for one in known if world.complete(one)} == set(whole)


def test_what_is_kept_stays_in_the_budget_hour_after_hour(world: World) -> None:
    world.settings = JourneySettings(retention_s=14 * HOUR, disk_bytes=40_000)
    size = "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'hops_kept'"
    for hour in range(14):
        at = world.clock.now()
        world.put(*(row for n in range(300) for row in walk(f"h{hour}m{n}", at)))
        world.thin(HOUR)
        assert int(world.engine.query(size).column("n")[0].as_py() or 0) <= 40_000
    shares = world.engine.query("SELECT share FROM hops_thinned ORDER BY hour").to_pylist()
    assert 0.0 < shares[-1]["share"] < 1.0


def test_old_journeys_samples_and_marks_are_forgotten(world: World) -> None:
    world.put(*walk("m", NOW), failed_hop("bad", "x", at=NOW))
    world.thin(3 * HOUR)
    world.thin(7 * DAY - 3 * HOUR)
    assert world.known("m") == {"m": 3}
    world.thin(DAY + 6 * HOUR)
    assert world.known("m") == {}
    assert world.count("error_samples") == 0
    world.thin(60 * DAY)
    assert world.count("hops_thinned") == 0


def test_late_hops_of_a_thinned_hour_are_thinned_in_their_turn(world: World) -> None:
    world.put(*walk("m", NOW)[:2], *walk("bad", NOW, BAD)[2:])
    world.thin(3 * HOUR)
    world.settings = TIGHT
    world.put(*walk("m", NOW)[2:], *walk("bad", NOW)[:2], *walk("late", NOW))
    assert world.thin() == 1
    assert world.known("m", "bad", "late") == {"m": 2, "bad": 3}
    assert not world.complete("m")
    assert world.complete("bad")


def test_where_hops_crowd_the_budget_an_hour_is_thinned_as_soon_as_it_has_ended(
    world: World,
) -> None:
    world.settings = JourneySettings(disk_bytes=2)
    world.put(*walk("m", NOW))
    assert world.thin(HOUR - 1) == 0
    assert world.thin(1) > 0
    assert world.count("hops") == 0


class BrokenOff(Engine):
    """Refuses a statement for the first time that it is asked, or says that it failed, having run
    it: as a crash right before or after it would look."""

    def __init__(self, engine: Engine, word: str, *, has_run: bool) -> None:
        self._engine, self._word, self._has_run = engine, word, has_run
        self.is_broken = False
        self.query = engine.query  # type: ignore[method-assign]

    def command(self, sql: str, parameters: object = None) -> None:
        self._run(sql, lambda: self._engine.command(sql))

    def insert(self, table_name: str, rows: pa.Table, token: str) -> None:
        self._run(table_name, lambda: self._engine.insert(table_name, rows, token))

    def _run(self, words: str, run: Callable[[], None]) -> None:
        is_now = self._word in words and not self.is_broken
        if not is_now or self._has_run:
            run()
        if is_now:
            self.is_broken = True
            raise StoreError("broken off, on purpose", permanent=False)


@pytest.mark.parametrize("has_run", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("word", ["INSERT INTO hops_kept", "hops_thinned", "hops DROP PARTITION"])
def test_broken_off_at_any_step_nothing_is_lost_or_doubled(
    world: World, word: str, has_run: bool
) -> None:
    world.put(*walk("m", NOW), *walk("bad", NOW, BAD))
    world.clock.advance(3 * HOUR)
    broken = BrokenOff(world.engine, word, has_run=has_run)
    with pytest.raises(StoreError, match="on purpose"):
        thin(broken, ROOMY, world.clock.now(), world.store._parts.while_still)
    assert world.known("m", "bad") == {"m": 3, "bad": 3}
    world.thin()
    assert world.known("m", "bad") == {"m": 3, "bad": 3}
    assert world.count("hops") == 0
    assert world.count("hops_kept FINAL") == 6


class Interrupted(Engine):
    """Lets hops come while an hour is copied, some times."""

    def __init__(self, world: World, times: int) -> None:
        self._world, self._left = world, times
        self.query = world.engine.query  # type: ignore[method-assign]
        self.insert = world.engine.insert  # type: ignore[method-assign]

    def command(self, sql: str, parameters: object = None) -> None:
        self._world.engine.command(sql)
        if "INSERT INTO hops_kept" in sql and self._left:
            self._left -= 1
            self._world.put({"id": f"late{self._left}", "tenant": "a", "at": NOW})


@pytest.mark.parametrize("times", [1, 3], ids=["once", "as often as it is tried"])
def test_hops_that_come_while_their_hour_is_copied_are_not_lost(world: World, times: int) -> None:
    world.put(*walk("m", NOW))
    world.clock.advance(3 * HOUR)
    thin(Interrupted(world, times), ROOMY, world.clock.now(), world.store._parts.while_still)
    ids = [f"late{n}" for n in range(times)]
    assert world.known("m", *ids) == {"m": 3} | dict.fromkeys(ids, 1)
    assert world.count("hops") == 0


def test_retention_thins_by_the_stores_clock(world: World) -> None:
    world.put(*walk("m", NOW))
    world.store.retain()
    assert world.count("hops") == 3
    clock = world.store._parts.clock
    assert isinstance(clock, SimulatedClock)
    clock.advance(3 * HOUR)
    world.store.retain()
    assert (world.count("hops"), world.count("hops_kept")) == (0, 3)
    assert world.known("m") == {"m": 3}
