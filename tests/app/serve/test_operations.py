"""`/metrics` over a real state database and stand-ins for the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from prometheus_client.parser import text_string_to_metric_families

from streamgauge.app.serve.operations import OwnOperations
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.views import Lag
from streamgauge.receive.intake import Origin
from streamgauge.receive.ledger import RefusalLedger
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.measured import Form, Measured, Numbers, Series
from streamgauge.state.state import State
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_800_000_000.0
NOTHING_REFUSED = RefusalLedger(SimulatedClock())


class FixedStore:
    """A store with one number of its own."""

    def stats(self) -> dict[str, float]:
        return {"waiting_lines": 7.0, "segments_total": 3.0}

    def lag(self) -> Lag:
        return Lag(lines=7, seconds=0.5)

    def problems(self) -> list[str]:
        return []


class FixedWatch:
    """A loop whose last turn failed."""

    turns_total, failed_total, last_turn_s, last_error = 9, 1, 0.01, "the database is away"
    unwatched_flow_count = 0


def told(state: State, **more: Any) -> dict[tuple[str, str], float]:
    operations = OwnOperations(
        cast(Any, FixedStore()), cast(Any, FixedWatch()), state, NOTHING_REFUSED, **more
    )
    return {
        (sample.name, sample.labels.get("state", "")): sample.value
        for family in text_string_to_metric_families(operations.prometheus().decode())
        for sample in family.samples
    }


def test_every_part_tells_its_depth(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/state.sqlite3", SimulatedClock(0.0))
    state.open()
    metrics = told(state)
    assert metrics[("streamgauge_lag_lines", "")] == 7
    assert metrics[("streamgauge_store_segments_total", "")] == 3
    assert metrics[("streamgauge_detect_is_failing", "")] == 1
    assert metrics[("streamgauge_notifications", "pending")] == 0
    state.close()


def test_a_state_database_that_refuses_leaves_the_rest_told(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/never-opened.sqlite3", SimulatedClock(0.0))
    metrics = told(state)
    assert ("streamgauge_notifications", "pending") not in metrics
    assert metrics[("streamgauge_lag_lines", "")] == 7
    state.close()


def test_what_receiving_remembers_is_told(tmp_path: Path) -> None:
    state = State(f"sqlite:///{tmp_path}/state.sqlite3", SimulatedClock(0.0))
    state.open()
    metering = Metering(workshop_of(MemorySink(), SimulatedClock(NOW)).intake)
    series = [
        Series("messages_total", (("tenant", tenant),), Form.CUMULATIVE) for tenant in ("a", "b")
    ]
    strange = [Series("jobs_failed", (("worker", worker),)) for worker in "xyz"]
    numbers = Numbers(
        [*series, *strange],
        np.arange(5, dtype=np.int32),
        np.full(5, int(NOW * 1e9)),
        np.zeros(5, np.int64),
        np.ones(5),
    )
    metering.take(Origin("/v1/metrics"), b"x", Measured(numbers), db="d")
    metrics = told(state, remembered=metering.remembered)
    names = ("counters", "histograms", "unmapped_names", "unmapped_series")
    assert [metrics[(f"streamgauge_receive_{name}", "")] for name in names] == [2, 0, 1, 3]
    assert ("streamgauge_receive_counters", "") not in told(state), "of who does not receive"
    state.close()
