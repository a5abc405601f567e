"""What tests of the whole program share: the process itself, and stand-ins for its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from streamgauge.testing.opsgenie import OpsgenieStandIn
from streamgauge.testing.process import StreamgaugeProcess

# How long an example takes says what else the machine does, not whether the code is right.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


class Launch(Protocol):
    """Starts streamgauge and answers with the process, ready; it ends with the test."""

    def __call__(self, config: str = "", **options: Any) -> StreamgaugeProcess: ...


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    """Start any number of processes, each on a folder of its own."""
    processes: list[StreamgaugeProcess] = []

    def start(config: str = "", **options: Any) -> StreamgaugeProcess:
        folder = tmp_path / f"streamgauge-{len(processes)}"
        process = StreamgaugeProcess(folder, config, **options)
        processes.append(process)
        return process.start()

    yield start
    for process in processes:
        process.close()


@pytest.fixture
def streamgauge(launch: Launch) -> StreamgaugeProcess:
    """The program without any configuration, ready."""
    return launch()


@pytest.fixture
def opsgenie_stand_in() -> Iterator[OpsgenieStandIn]:
    """A receiver that stands for Opsgenie and keeps every request."""
    with OpsgenieStandIn() as stand_in:
        yield stand_in
