"""What bodies of metrics become."""

from __future__ import annotations

import numpy as np

from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.intake import Origin
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.measured import Measured, Numbers, Series
from streamgauge.testing.receiving import MemorySink, workshop_of

NOW = 1_700_000_000.0
NOW_NS = int(NOW * 1e9)


def test_what_is_not_ours_becomes_points_as_influxdb_has_prometheus_data() -> None:
    sink = MemorySink()
    metering = Metering(workshop_of(sink, SimulatedClock(NOW)).intake)
    series = [Series("up", (("job", "a b"),))]
    numbers = Numbers(
        series,
        np.zeros(2, np.int32),
        np.array([NOW_NS - 1, NOW_NS]),
        np.zeros(2, np.int64),
        np.array([1.0, 0.0]),
    )
    taken = metering.take(Origin("/any"), b"1", Measured(numbers), db="prometheus")
    assert (taken.is_new, taken.parsed.line_count) == (True, 2)
    points = sink.bodies[0].batch.points.to_pylist()
    assert [(row["time_ns"], row["value"]) for row in points] == [(NOW_NS - 1, 1), (NOW_NS, 0)]
    assert {(row["measurement"], row["tags"], row["field"], row["db"]) for row in points} == {
        ("up", r"job=a\ b", "value", "prometheus")
    }
