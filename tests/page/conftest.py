"""What the tests of paging share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.page.http_receiver import Receiver

from streamgauge.model.clock import SimulatedClock
from streamgauge.state.state import State


@pytest.fixture
def clock() -> SimulatedClock:
    """Stands at 1,000 s."""
    return SimulatedClock(1_000.0)


@pytest.fixture
def state_url(tmp_path: Path) -> str:
    """A database of its own."""
    return f"sqlite:///{tmp_path / 'state.sqlite3'}"


@pytest.fixture
def state(state_url: str, clock: SimulatedClock) -> Iterator[State]:
    """Open, and empty."""
    state = State(state_url, clock)
    state.open()
    yield state
    state.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real HTTP server on a port of its own."""
    with Receiver() as receiver:
        yield receiver
