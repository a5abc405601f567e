"""Whole or not at all, on a disk that takes only so much."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamgauge.model.whole import append_whole, replace_whole


@contextmanager
def room_for(size_bytes: int) -> Iterator[None]:
    """No file can grow beyond: a write takes what fits, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "it.log"
    file.write_bytes(b"first")
    return file


@pytest.mark.parametrize("fsync", [False, True])
def test_what_fits_is_appended(path: Path, *, fsync: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    append_whole(descriptor, b" second", 5, fsync=fsync)
    os.close(descriptor)
    assert path.read_bytes() == b"first second"


@pytest.mark.parametrize("room", [5, 6, 11], ids=["no room", "a byte", "all but a byte"])
def test_what_does_not_fit_leaves_nothing_behind(path: Path, room: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    with room_for(room), pytest.raises(OSError, match=r"No space left|File too large"):
        append_whole(descriptor, b" second", 5, fsync=False)
    append_whole(descriptor, b" third", 5, fsync=False)
    os.close(descriptor)
    assert path.read_bytes() == b"first third"


def test_a_file_is_replaced_or_stays(path: Path) -> None:
    with room_for(6), pytest.raises(OSError, match="File too large"):
        replace_whole(path, b"much too long")
    assert path.read_bytes() == b"first"
    replace_whole(path, b"much too long", fsync=True)
    assert path.read_bytes() == b"much too long"
    assert [one.name for one in path.parent.iterdir()] == ["it.log"]
