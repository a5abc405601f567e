"""Stores for tests: the embedded engine allows one path a process, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgauge.model.clock import SimulatedClock
from streamgauge.store import Store, StoreSettings

NOW = 1_764_000_000.0
"""2025-11-24T16:00:00Z, on an hour."""


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: SimulatedClock) -> Iterator[Store]:
    opened = Store(f"chdb://{tmp_path}/engine", tmp_path, clock, StoreSettings())
    opened.open()
    yield opened
    opened.close()
