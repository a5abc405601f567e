"""A customer whose messages stopped is paged about, once, and the page ends when they come back."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from streamgauge.testing.api import counts_by, incidents, overview, write
from streamgauge.testing.lines import Reported, customers, steady, without
from streamgauge.testing.opsgenie import OpsgenieStandIn, TakenRequest
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually, steadily

pytestmark = [pytest.mark.process, pytest.mark.slow]

SILENT = "customer-13"
API_KEY = "a-key-that-no-log-may-show"


def _three_days(now: float) -> list[Reported]:
    """3 days of 20 customers by the minute, to the last whole one; one is silent for 2 hours."""
    end = int(now // 60)
    everyone = steady(customers(20), range(end - 3 * 1440, end))
    return list(without(everyone, range(end - 120, end), SILENT))


def _post(process: StreamgaugeProcess, reports: list[Reported], size: int, zipped: bool) -> None:
    for start in range(0, len(reports), size):
        lines = [report.line for report in reports[start : start + size]]
        answer = write(process.client, lines, zipped=zipped)
        assert answer.status_code == 204, answer.text


def _totals(reports: list[Reported]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for report in reports:
        totals[report.tenant] += report.count
    return totals


def _configuration(stand_in: OpsgenieStandIn) -> str:
    notify = f'[[notify]]\nkind = "opsgenie"\nurl = "{stand_in.url}"\napi_key = "{API_KEY}"\n'
    return '[detect]\ntick = "2s"\n' + notify


def _alerts(stand_in: OpsgenieStandIn) -> list[TakenRequest]:
    return [request for request in stand_in.created if SILENT in request.body["message"]]


def _silences(process: StreamgaugeProcess, **filters: str) -> list[dict[str, Any]]:
    return [i for i in incidents(process.client, **filters) if i["kind"] == "silence"]


def _check_counts(process: StreamgaugeProcess, reports: list[Reported]) -> None:
    from_s, to_s = reports[0].minute * 60, (reports[-1].minute + 1) * 60
    total = sum(report.count for report in reports)
    eventually(
        lambda: overview(process.client, from_s, to_s)["messages"] == total,
        within_s=30,
        what=f"{total} messages in the overview",
    )
    assert counts_by(process.client, "tenant", from_s, to_s) == _totals(reports)
    whole = overview(process.client, from_s, to_s)
    assert (whole["errors"], whole["success_ratio"], whole["error_ratio"]) == (0, 1.0, 0.0)
    alone = overview(process.client, from_s, to_s, tenant=SILENT)
    assert alone["messages"] == _totals(reports)[SILENT]


@pytest.mark.parametrize(
    ("size", "zipped"),
    [
        pytest.param(10**6, False, id="history in one body"),
        pytest.param(5000, True, id="history in many gzipped bodies"),
    ],
)
def test_the_silent_customer_is_the_only_incident(launch: Any, size: int, zipped: bool) -> None:
    process = launch()
    reports = _three_days(time.time())
    _post(process, reports, size, zipped)
    _check_counts(process, reports)

    found = eventually(lambda: incidents(process.client), within_s=60, what="the incident")

    assert [(i["kind"], i["tenant"], i["state"]) for i in found] == [("silence", SILENT, "open")]
    assert found[0]["suspected"] == "customer"
    assert SILENT in found[0]["summary"]


def test_opsgenie_gets_one_alert_for_it_though_it_refused_two_and_one_close(
    launch: Any, opsgenie_stand_in: OpsgenieStandIn
) -> None:
    opsgenie_stand_in.refuse_next = 2
    process = launch(_configuration(opsgenie_stand_in))
    _post(process, _three_days(time.time()), 5000, False)
    eventually(lambda: _alerts(opsgenie_stand_in), within_s=120, what="the alert, taken")
    assert len(opsgenie_stand_in.refused) == 2
    (incident,) = _silences(process)

    process.stop()
    process.start()
    steadily(
        lambda: len(_alerts(opsgenie_stand_in)) == 1,
        for_s=12,
        what="one alert over a restart and some more looks",
    )
    minute = int(time.time() // 60)
    back = [report.line for report in steady(customers(20), [minute])]
    assert write(process.client, back).status_code == 204
    eventually(lambda: opsgenie_stand_in.closed, within_s=60, what="the close at Opsgenie")

    (created,) = _alerts(opsgenie_stand_in)
    (closed,) = [c for c in opsgenie_stand_in.closed if incident["id"] in c.path]
    assert created.body["alias"] == incident["id"]
    assert SILENT in created.body["message"]
    assert created.body["priority"] in {"P1", "P2", "P3"}
    assert created.headers["authorization"] == f"GenieKey {API_KEY}"
    assert closed.path == f"/v2/alerts/{incident['id']}/close"
    assert closed.query["identifierType"] == "alias"
    assert not _silences(process, state="open")
    assert API_KEY not in process.stderr + process.stdout
