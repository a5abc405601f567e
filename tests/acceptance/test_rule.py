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
for = "2m"
severity = "P2"
"""


def _report(process: StreamgaugeProcess, backlog: int, second: int) -> None:
    """For each of the last ten whole minutes, as if reported at that second of it."""
    this_minute = int(time.time() // 60)
    lines = [
        f"queue,queue=ga4 backlog={backlog}i,oldest_age_s=1 {(minute * 60 + second) * 10**9}"
        for minute in range(this_minute - 10, this_minute)
    ]
    assert write(process.client, lines).status_code == 204


def _rule_incidents(process: StreamgaugeProcess, state: str) -> list[dict[str, Any]]:
    return [i for i in incidents(process.client) if (i["kind"], i["state"]) == ("rule", state)]


def test_a_rule_opens_and_closes(launch: Any) -> None:
    process = launch(CONFIG)
    _report(process, 5000, second=10)
    (found,) = eventually(
        lambda: _rule_incidents(process, "open"), within_s=30, what="the rule's incident"
    )
    assert found["severity"] == "P2"
    assert "too much waits" in found["summary"]

    def closed() -> list[dict[str, Any]]:
        _report(process, 10, second=50)  # the last value of a minute is the minute's
        return _rule_incidents(process, "closed")

    (ended,) = eventually(closed, within_s=60, every_s=1, what="the end of it")
    assert ended["id"] == found["id"]
    assert not _rule_incidents(process, "open")
