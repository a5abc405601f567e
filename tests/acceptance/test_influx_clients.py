"""What speaks to InfluxDB speaks to us: curl as in its manual, and the checks clients make."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from streamgauge.testing.api import overview
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process


def _curl(*arguments: str) -> str:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("no curl on this machine")
    command = [curl, "--silent", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def test_curl_as_in_the_readme(streamgauge: StreamgaugeProcess) -> None:
    line = "messages,tenant=acme,source=web,integration=ga4 count=3i,latency_ms=120"
    written = _curl(f"{streamgauge.url}/write?db=router", "--data-binary", line)
    assert written == "\n204"

    now = time.time()
    eventually(
        lambda: overview(streamgauge.client, now - 60, now + 60, tenant="acme")["messages"] == 3,
        within_s=10,
        what="what curl wrote",
    )


def test_a_token_is_taken_and_ignored_where_none_is_configured(
    streamgauge: StreamgaugeProcess,
) -> None:
    written = _curl(
        f"{streamgauge.url}/api/v2/write?org=any&bucket=any&precision=s",
        *(
            "--header",
            "Authorization: Token any",
            "--data-raw",
            f"cpu,host=a v=1 {time.time():.0f}",
        ),
    )
    assert written == "\n204"
    assert _curl("-u", "any:one", f"{streamgauge.url}/write?db=x", "-d", "cpu v=1") == "\n204"


def test_what_clients_ask_first(streamgauge: StreamgaugeProcess) -> None:
    ping = streamgauge.client.get("/ping")
    assert ping.status_code == 204
    assert ping.headers["x-influxdb-version"]
    health = streamgauge.client.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "pass")
