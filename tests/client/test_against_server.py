"""The client and the real server: every count exact, whatever happens to either of them.

One server for all tests, each with customers of its own, behind a proxy that refuses and loses
answers as it is told.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.client.scripted import LOSE, Scripted, scripted

from streamgauge.client import Gauge
from streamgauge.testing.api import counts_by, overview
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process
WITHIN_S = 60.0


@pytest.fixture(scope="module")
def streamgauge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    with StreamgaugeProcess(tmp_path_factory.mktemp("server")) as process:
        yield process.start()


@pytest.fixture
def proxy(streamgauge: StreamgaugeProcess) -> Iterator[Scripted]:
    with scripted(streamgauge.url) as script:
        yield script


def now_counted(server: StreamgaugeProcess, tenant: str) -> int:
    now = time.time()
    return int(overview(server.client, now - 600, now + 60, tenant=tenant)["messages"])


def assert_counted(server: StreamgaugeProcess, tenant: str, expected: int) -> None:
    eventually(
        lambda: now_counted(server, tenant) >= expected, within_s=WITHIN_S, what="all messages"
    )
    assert now_counted(server, tenant) == expected


def test_every_message_counts_once_over_losses_refusals_and_a_killed_server(
    streamgauge: StreamgaugeProcess, proxy: Scripted, tmp_path: Path
) -> None:
    gauge = Gauge(proxy.url, router="r-1", spool=tmp_path / "spool", interval_s=0.1)
    latencies_s = [0.010 * (1 + number % 50) for number in range(10_000)]

    def count(name: str) -> None:
        flow = gauge.flow(tenant=name, source="web", integration="ga4")
        for number, latency_s in enumerate(latencies_s):
            if number % 1_000 == 0:
                gauge.message(tenant=name, integration="ga4", id=f"{name}-{number}", latency_s=0.1)
                proxy.steps.extend([(503, {"Retry-After": "0"}), 204, LOSE, LOSE, 204, 500])
            elif number % 2:
                flow.ok(latency_s, queue_s=0.002)
            else:
                gauge.message(
                    tenant=name, source="web", integration="ga4", latency_s=latency_s, queue_s=0.002
                )
            if number % 100 == 0:
                time.sleep(0.01)  # so that some intervals end meanwhile

    threads = [threading.Thread(target=count, args=(name,)) for name in ("once-a", "once-b")]
    for thread in threads:
        thread.start()
    eventually(lambda: len(proxy.requests) > 5, within_s=WITHIN_S, every_s=0.01)
    streamgauge.kill()
    for thread in threads:
        thread.join()
    gauge.message(tenant="once-a", count=500)
    assert not gauge.flush(0.2)
    streamgauge.start()
    proxy.steps.clear()
    assert gauge.close(WITHIN_S)
    assert list((tmp_path / "spool").iterdir()) == []
    assert len(proxy.keys) > len(set(proxy.keys)), "some were sent again"
    assert_counted(streamgauge, "once-a", 10_500)
    assert_counted(streamgauge, "once-b", 10_000)
    now = time.time()
    told = overview(streamgauge.client, now - 600, now + 60, tenant="once-b")
    assert told["latency"]["p50_s"] == pytest.approx(0.25, rel=0.05)
    assert told["latency"]["p99_s"] == pytest.approx(0.50, rel=0.05)
    assert told["queue"]["wait"]["p90_s"] == pytest.approx(0.002, rel=0.022)


ROUTER = """
import sys, time
from streamgauge.client import Gauge
url, spool, within_s, *counts = sys.argv[1:]
gauge = Gauge(url, router="r-2", spool=spool, interval_s=86400)
for count in counts:
    gauge.message(tenant="killed", count=int(count))
    print(gauge.flush(float(within_s)), flush=True)
gauge.message(tenant="killed", count=70)
time.sleep(600)
"""


def run_and_kill(proxy: Scripted, spool: Path, within_s: float, *counts: str) -> list[str]:
    """What each flush answered in a router that is killed after them."""
    command = [sys.executable, "-c", ROUTER, proxy.url, str(spool), str(within_s), *counts]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as router:
        assert router.stdout is not None
        answers = [router.stdout.readline().strip() for _ in counts]
        router.send_signal(signal.SIGKILL)
    return answers


def test_of_a_killed_router_only_the_interval_in_memory_is_lost(
    streamgauge: StreamgaugeProcess, proxy: Scripted, tmp_path: Path
) -> None:
    assert run_and_kill(proxy, tmp_path, WITHIN_S, "1000", "2000") == ["True", "True"]
    proxy.then = 503
    assert run_and_kill(proxy, tmp_path, 0.5, "300", "400") == ["False", "False"]
    assert len(list(tmp_path.iterdir())) == 2, "it waits on the disk"
    proxy.then = LOSE  # the server keeps them, and the router dies without knowing it
    request_count = len(proxy.requests)
    assert run_and_kill(proxy, tmp_path, 2.0, "50") == ["False"]
    assert len(proxy.requests) > request_count
    assert len(list(tmp_path.iterdir())) == 3
    proxy.then = 204
    heirs = [Gauge(proxy.url, router="r-2", spool=tmp_path) for _ in range(3)]
    for heir in heirs:
        heir.message(tenant="killed", count=1)
    for heir in heirs:
        assert heir.close(WITHIN_S)
    assert list(tmp_path.iterdir()) == []
    assert_counted(streamgauge, "killed", 1000 + 2000 + 300 + 400 + 50 + 3)


def test_what_the_server_refuses_is_told_and_the_rest_is_kept(
    streamgauge: StreamgaugeProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with Gauge(streamgauge.url, interval_s=86_400) as gauge:
        gauge.message(tenant="refused", count=3)
        gauge.message(tenant="refused", id="x" * 300)
        assert gauge.flush(WITHIN_S)
    (said,) = [record.message for record in caplog.records]
    assert said.startswith("streamgauge refused what it was sent: 400 ")
    assert "id has more than 256 bytes" in said
    assert_counted(streamgauge, "refused", 3)


def test_a_queue_can_be_asked_for(streamgauge: StreamgaugeProcess) -> None:
    with Gauge(streamgauge.url, router="r-3", version="1.4.2", interval_s=86_400) as gauge:
        gauge.queue("client-queue", backlog=17, oldest_age_s=0.8)

    def backlogs() -> dict[str, int]:
        now = time.time()
        return counts_by(streamgauge.client, "queue", now - 60, now + 60, "backlog")

    eventually(lambda: backlogs().get("client-queue") == 17, within_s=WITHIN_S)


PAGE = Path(__file__).parents[2] / "docs/client.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize(
    ("number", "messages", "errors"),
    [
        pytest.param(0, 2, 1, id="the quick start"),
        pytest.param(1, 1, 0, id="headers"),
        pytest.param(2, 0, 0, id="the middleware"),
    ],
)
def test_the_pages_examples_do_what_they_say(
    streamgauge: StreamgaugeProcess, tmp_path: Path, number: int, messages: int, errors: int
) -> None:
    assert len(EXAMPLES) == 3
    tenant = f"example-{number}"
    code = EXAMPLES[number].replace("http://127.0.0.1:8686", streamgauge.url)
    done = subprocess.run(
        [sys.executable, "-c", code.replace("acme", tenant)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert_counted(streamgauge, tenant, messages)
    now = time.time()
    assert overview(streamgauge.client, now - 600, now + 60, tenant=tenant)["errors"] == errors
