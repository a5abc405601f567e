"""Why messages failed: the commonest reasons of some flows, whatever was summed up in between."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.levels import Levels
from streamgauge.detect.reasons import Reasons


def add(reasons: Reasons, minute: int, flow: int, text: str | None, count: float) -> None:
    column = pa.chunked_array([pa.array([text], pa.string()).dictionary_encode()])
    reasons.add(np.array([minute]), np.array([flow], np.int32), column, np.array([count]))


def test_the_commonest_reasons_of_some_flows_are_told() -> None:
    reasons = Reasons(Levels())
    for minute in range(100, 200):
        add(reasons, minute, 1, "timeout", 2.0)
        add(reasons, minute, 1, f"id-{minute}", 1.0)
        add(reasons, minute, 2, "refused", 5.0)
        add(reasons, minute, 1, None, 9.0)
    flow = np.array([1], np.int64)
    assert reasons.top(flow, 198) == [("timeout", 4), ("id-198", 1), ("id-199", 1)]
    assert reasons.top(np.array([1, 2, 7]), 190)[:2] == [("refused", 50), ("timeout", 20)]
    assert reasons.top(flow, 200) == []


def test_reasons_with_ids_are_forgotten_when_they_are_old() -> None:
    reasons = Reasons(Levels())
    for minute in range(0, 6000, 60):
        texts = pa.chunked_array([pa.array([f"{minute}-{n}" for n in range(100)])])
        many = np.full(100, minute), np.arange(100, dtype=np.int32) % 50
        reasons.add(*many, texts, np.ones(100))
        reasons.settle(minute // 60 - 1)
    assert reasons.top(np.array([3]), 5940) == [("5940-3", 1), ("5940-53", 1)]
