"""Which series are known, kept over restarts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamgauge.app.upkeep.known_series import KnownSeries
from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.guard import SeriesGuard


def guard() -> SeriesGuard:
    return SeriesGuard(SimulatedClock(0.0), 10)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    knowing = guard()
    knowing.restore(np.array([5, 3, 9], np.uint64))
    KnownSeries(tmp_path / "series.npy", knowing).save()
    again = guard()
    KnownSeries(tmp_path / "series.npy", again).load()
    assert sorted(again.known().tolist()) == [3, 5, 9]


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    empty = guard()
    KnownSeries(tmp_path / "series.npy", empty).load()
    assert empty.known_count == 0


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY torn", b"hello" * 100])
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "series.npy"
    path.write_bytes(content)
    empty = guard()
    KnownSeries(path, empty).load()
    assert empty.known_count == 0


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    knowing = guard()
    knowing.restore(np.array([5], np.uint64))
    KnownSeries(tmp_path / "missing" / "series.npy", knowing).save()
    assert knowing.known_count == 1
