"""A declared flow is expected though it never spoke; a retired one is not expected any more."""

from __future__ import annotations

import time
from typing import Any

import pytest

from streamgauge.testing.api import incidents, write
from streamgauge.testing.lines import customers, steady, without
from streamgauge.testing.waiting import eventually, steadily

pytestmark = pytest.mark.process

OFTEN = '[detect]\ntick = "1s"\n'


def _history(silent: str) -> list[str]:
    end = int(time.time() // 60)
    everyone = steady(customers(20), range(end - 3 * 1440, end))
    return [report.line for report in without(everyone, range(end - 120, end), silent)]


def test_a_declared_flow_that_never_spoke_is_an_incident(launch: Any) -> None:
    process = launch(
        OFTEN + '[[flow]]\ntenant = "newcomer"\nsource = "ios"\nfirst_message_within = "1s"\n'
    )
    end = int(time.time() // 60)
    steady_lines = [r.line for r in steady(customers(3), range(end - 1440, end))]
    assert write(process.client, steady_lines).status_code == 204
    eventually(
        lambda: [i for i in incidents(process.client) if i["tenant"] == "newcomer"],
        within_s=60,
        what="the incident of a customer that never spoke",
    )


def test_a_retired_flow_is_not_expected(launch: Any) -> None:
    process = launch(OFTEN + '[[flow]]\ntenant = "customer-13"\nretired = true\n')
    assert write(process.client, _history("customer-13")).status_code == 204
    steadily(lambda: not incidents(process.client), for_s=12, what="no incident")
