"""When nothing at all arrives, we are blind: one incident that says so, and no silences."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamgauge.testing.api import incidents, write
from streamgauge.testing.lines import customers, steady
from streamgauge.testing.waiting import eventually, steadily

pytestmark = pytest.mark.process


OFTEN = '[detect]\ntick = "1s"\n'


def test_an_empty_store_is_not_blind_and_half_an_hour_without_anything_is(launch: Any) -> None:
    streamgauge = launch(OFTEN)
    steadily(lambda: not incidents(streamgauge.client), for_s=5, what="no incident")
    assert streamgauge.is_ready()

    end = int(time.time() // 60) - 30
    reports = steady(customers(20), range(end - 2 * 1440, end))
    assert write(streamgauge.client, [report.line for report in reports]).status_code == 204

    eventually(lambda: incidents(streamgauge.client), within_s=120, what="the incident")

    def only_blind() -> bool:
        return [i["kind"] for i in incidents(streamgauge.client)] == ["blind"]

    steadily(only_blind, for_s=8, what="one blind incident and nothing else")
    (found,) = incidents(streamgauge.client)
    assert (found["tenant"], found["state"], found["closed_at"]) == (None, "open", None)
    assert found["suspected"] in {"collector", "platform", "unknown"}

    minute = int(time.time() // 60)
    back = [r.line for r in steady(customers(20), range(end, minute + 1), seed=8)]
    assert write(streamgauge.client, back).status_code == 204
    eventually(
        lambda: incidents(streamgauge.client)[0]["state"] == "closed",
        within_s=60,
        what="the end of blindness",
    )
    assert only_blind()
