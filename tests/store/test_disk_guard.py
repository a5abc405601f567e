"""A disk that runs full during a merge: the engine puts an empty part into use, and loses rows.

So merges are broken off before, and what one of them was made of is taken up again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from streamgauge.store import StoreSettings
from streamgauge.store.engine.emptyparts import drop_empty
from streamgauge.store.engine.engine import Engine
from streamgauge.store.host.diskguard import KEEP_FREE_BYTES, KEEP_FREE_RATIO, STOP, DiskGuard

TABLE = """CREATE TABLE numbers (n Int64) ENGINE = MergeTree ORDER BY n
SETTINGS old_parts_lifetime = 600"""
GB = 10**9
LITTLE = int(KEEP_FREE_RATIO * GB)


class Disk:
    def __init__(self, total: int = GB) -> None:
        self.free, self.total = total, total
        self.told: list[str] = []
        self.guard = DiskGuard(
            lambda: (self.free, self.total), self.told.append, lambda: self.told.append("restart")
        )

    def look(self, free: int, now_s: float = 0) -> list[str]:
        """What a look does that finds so much free."""
        self.told.clear()
        self.free = free
        self.guard.look(now_s)
        return list(self.told)


def test_merges_are_stopped_before_the_disk_is_full() -> None:
    disk = Disk()
    assert disk.look(LITTLE + 1) == []
    assert disk.look(LITTLE) == list(STOP)


def test_tables_made_meanwhile_are_stopped_too() -> None:
    disk = Disk()
    disk.look(LITTLE, 100)
    assert disk.look(LITTLE, 104.9) == []
    assert disk.look(LITTLE, 105) == list(STOP)


def test_the_engine_starts_anew_once_there_is_room_again() -> None:
    disk = Disk()
    disk.look(0)
    assert "restart" not in disk.look(LITTLE + 1, 10), "a little room comes and goes"
    assert disk.look(2 * LITTLE, 20) == ["restart"]
    assert disk.look(2 * LITTLE, 30) == []


def test_a_large_disk_is_not_kept_empty() -> None:
    assert Disk(total=10_000 * GB).look(KEEP_FREE_BYTES + 1) == []


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine's folder with four rows in four parts, and one that was made of them."""
    path = tmp_path_factory.mktemp("original") / "engine"
    inserts = [f"INSERT INTO numbers VALUES ({n})" for n in range(4)]
    with_engine(path, TABLE, *inserts, "OPTIMIZE TABLE numbers FINAL")
    assert {part.name for part in parts(path)} > {"all_1_4_1"}
    return path


@pytest.fixture
def merged(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "engine", symlinks=True))


def with_engine(path: Path, *statements: str) -> list[int]:
    engine = Engine(f"chdb://{path}", StoreSettings())
    engine.open()
    try:
        for statement in statements:
            engine.command(statement)
        return list(engine.query("SELECT n FROM numbers ORDER BY n").column("n").to_pylist())
    finally:
        engine.close()


def parts(path: Path) -> list[Path]:
    return sorted(path.glob("store/*/*/all_*"))


def empty(part: Path) -> None:
    for path in part.iterdir():
        path.unlink()
        path.touch()


@pytest.mark.chdb
@pytest.mark.parametrize("is_detached", [False, True])
def test_what_an_empty_part_was_made_of_is_taken_up_again(merged: Path, is_detached: bool) -> None:
    (part,) = (one for one in parts(merged) if one.name == "all_1_4_1")
    empty(part)
    if is_detached:
        shutil.move(part, part.parent / "detached" / part.name)
    assert drop_empty(merged) == 1
    assert with_engine(merged) == [0, 1, 2, 3]
    assert not list(merged.glob("store/*/*/detached/*")), "nothing is missing, nothing is told"


@pytest.mark.chdb
@pytest.mark.parametrize("gone", ["all_1_1_0", "all_4_4_0"])
def test_an_empty_part_stays_where_its_rows_are_gone(merged: Path, gone: str) -> None:
    for part in parts(merged):
        if part.name == "all_1_4_1":
            empty(part)
        elif part.name == gone:
            shutil.rmtree(part)
    assert drop_empty(merged) == 0


@pytest.mark.chdb
def test_sound_parts_are_left_alone(merged: Path) -> None:
    before = parts(merged)
    assert drop_empty(merged) == 0
    assert parts(merged) == before


def test_a_folder_that_is_not_there_yet_is_no_error(tmp_path: Path) -> None:
    assert drop_empty(tmp_path / "engine") == 0
