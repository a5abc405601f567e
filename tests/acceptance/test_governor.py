"""A small disk budget: raw lines go earlier, people are told, receiving goes on."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest

from streamgauge.testing.api import write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process
CONFIG = """
[govern]
every = "1s"
[store]
disk_budget = "{budget}"
"""


def _lines(day: int) -> list[str]:
    chance, end = random.Random(day), int((time.time() - day * 86_400) * 1e9)
    return [
        f"messages,tenant=t{n % 20},source=web count=1i,latency_ms={chance.random() * 1e3:.6f} "
        f"{end - n * 1_000_000_000 - chance.randrange(10**9)}"
        for n in range(20_000)
    ]


def _incident(process: StreamgaugeProcess) -> dict[str, Any] | None:
    found = process.client.get("/api/v1/incidents?state=open").json()["incidents"]
    return next((one for one in found if one["kind"] == "capacity"), None)


def _budget(process: StreamgaugeProcess) -> dict[str, Any] | None:
    return process.client.get("/api/v1/budget").json()["budget"]


def test_a_small_budget_shortens_raw_retention_and_says_so(launch: Any) -> None:
    process = launch(CONFIG.format(budget="3MB"))
    for day in range(6, -1, -1):
        assert write(process.client, _lines(day)).status_code == 204
    told = eventually(lambda: _incident(process), within_s=90, what="the incident")
    assert told["suspected"] == "collector"
    # It may open a look before anything is given up, and then says what will be.
    eventually(
        lambda: "raw lines for" in (_incident(process) or told)["summary"],
        within_s=30,
        what="what was given up",
    )
    budget = _budget(process)
    assert budget is not None
    assert budget["given_up"]["raw_s"] < 7 * 86_400
    assert "streamgauge_has_given_up 1.0" in process.client.get("/metrics").text
    assert "what is kept has changed" in process.stderr
    assert process.client.get("/api/v1/overview").json()["state"] != "degraded"
    assert write(process.client, _lines(0)).status_code == 204, "receiving goes on"

    process.stop()
    kept = json.loads((process.data / "governor.json").read_text())["given_up"]
    assert kept["raw_s"] == budget["given_up"]["raw_s"] or kept["raw_s"] < 7 * 86_400
    process.start()
    after = eventually(lambda: _budget(process), within_s=60, what="the first look")
    assert after["given_up"]["raw_s"] is not None, "a restart knows what was given up"
    same = eventually(lambda: _incident(process), within_s=30, what="the incident again")
    assert same["id"] == told["id"]
