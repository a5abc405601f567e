"""The state database on a disk that fills up: changes are refused whole, and go on afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.alert.incident_world import finding
from tests.state.incident_story import turn

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import StoreError
from streamgauge.state.state import State


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_bsize))
    return disk / "filler"


def test_a_turn_of_the_loop_is_refused_whole_and_made_again_when_there_is_room(
    small_disk: Path,
) -> None:
    state = State(f"sqlite:///{small_disk / 'state.sqlite3'}", SimulatedClock(1_000.0))
    state.open()
    try:
        turn(state, 1_000, [finding("before")])
        filler = _fill(small_disk)
        many = [finding(f"tenant-{number}", summary="x" * 2000) for number in range(50)]
        with pytest.raises(StoreError, match="state database"):
            turn(state, 1_010, [finding("before"), *many])
        filler.unlink()
        names = {one.scope.tenant for one in state.list_incidents()}
        assert names == {"before"}, "nothing of the refused turn was kept"
        turn(state, 1_020, [finding("before"), *many])
        assert len(state.list_incidents()) == 51
    finally:
        state.close()


def test_a_database_that_cannot_be_opened_is_an_error_of_ours_at_every_call(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path / 'nowhere' / 'state.sqlite3'}", SimulatedClock(1_000.0))
    for ask in (state.list_incidents, state.open_incidents, state.notification_counts):
        with pytest.raises(StoreError):
            ask()
    state.close()
