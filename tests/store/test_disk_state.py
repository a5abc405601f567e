"""What the disk of the data folder is said to be: well, full, read-only, gone."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.store.diskstate import DiskState, is_the_disks_fault
from streamgauge.store.journal.files import disk_error


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Callable[[], None]:
    free = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(free.f_bavail * free.f_bsize))
    return (disk / "filler").unlink


def read_only(disk: Path) -> Callable[[], None]:
    def mount(option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(disk)], check=True)

    mount("ro")
    return lambda: mount("rw")


@pytest.mark.parametrize(
    ("spoil", "said"), [(fill, "is full"), (read_only, "cannot be written")], ids=["full", "ro"]
)
def test_the_disk_is_a_problem_until_it_is_back(
    small_disk: Path, spoil: Callable[[Path], Callable[[], None]], said: str
) -> None:
    state = DiskState(small_disk)
    assert state.problem() == ""
    cure = spoil(small_disk)
    assert said in state.problem()
    cure()
    assert state.problem() == ""


def test_a_failed_write_is_a_problem_until_a_small_one_goes_through(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    state = DiskState(folder)
    (folder / "probe").mkdir()  # nothing can be written there
    state.failed(StoreError("the disk failed", permanent=False))
    assert state.problem() == "the disk failed"
    (folder / "probe").rmdir()
    assert state.problem() == ""
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    assert "was removed" in DiskState(tmp_path / "gone").problem()


@pytest.mark.parametrize(
    ("number", "is_there", "is_its_fault"),
    [
        (errno.ENOSPC, True, True),
        (errno.EROFS, False, True),
        (errno.EACCES, True, True),
        (errno.EACCES, False, False),
        (errno.ENOTDIR, True, False),
        (errno.EEXIST, True, False),
    ],
    ids=lambda value: errno.errorcode.get(value, "") if value is not True else "there",
)
def test_a_start_waits_for_a_disk_but_not_for_a_mistake(
    tmp_path: Path, number: int, is_there: bool, is_its_fault: bool
) -> None:
    folder = tmp_path if is_there else tmp_path / "new"
    cause = OSError(number, os.strerror(number))
    error = disk_error(cause, folder)
    error.__cause__ = cause
    assert is_the_disks_fault(error, folder) is is_its_fault
    assert not is_the_disks_fault(ConfigError("in use"), folder)


def test_an_error_of_the_database_is_the_disks_where_the_disk_is_full(small_disk: Path) -> None:
    error = ConfigError("the state database cannot be opened")
    assert not is_the_disks_fault(error, small_disk)
    fill(small_disk)
    assert is_the_disks_fault(error, small_disk)
