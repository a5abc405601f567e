"""A threshold that the user wrote opens an incident when it holds, and closes it when it ends."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamgauge.testing.api import incidents, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

CONFIG = """
[detect]
tick = "1s"

[[rule]]
name = "too much waits"
metric = "backlog"
by = "queue"
above = 1000.0
for = "2s"
severity = "P2"
"""


def _report(process: StreamgaugeProcess, backlog: int) -> None:
    line = f"queue,queue=ga4 backlog={backlog}i,oldest_age_s=1 {time.time_ns()}"
    assert write(process.client, [line]).status_code == 204


def _rule_incidents(process: StreamgaugeProcess, state: str) -> list[dict[str, Any]]:
    return [i for i in incidents(process.client) if (i["kind"], i["state"]) == ("rule", state)]


def test_a_rule_opens_and_closes(launch: Any) -> None:
    process = launch(CONFIG)

    def reported(backlog: int, state: str) -> list[dict[str, Any]]:
        _report(process, backlog)
        return _rule_incidents(process, state)

    _report(process, 10)
    (found,) = eventually(
        lambda: reported(5000, "open"), within_s=90, every_s=1, what="the rule's incident"
    )
    assert found["severity"] == "P2"
    assert "too much waits" in found["summary"]

    (closed,) = eventually(
        lambda: reported(10, "closed"), within_s=150, every_s=1, what="the end of it"
    )
    assert closed["id"] == found["id"]
    assert not _rule_incidents(process, "open")
