"""InfluxDB and VictoriaMetrics as Debian packages them, and history to bring in from them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from streamgauge.testing.process import free_port
from streamgauge.testing.waiting import eventually

NS = 10**9
DAY_S = 86_400


@contextmanager
def influxd(folder: Path) -> Iterator[httpx.Client]:
    """A running InfluxDB 1.x on an empty folder."""
    command = _find("influxd", "influxdb")
    port, own_port = free_port(), free_port()
    settings = {
        "META_DIR": str(folder / "meta"),
        "DATA_DIR": str(folder / "data"),
        "DATA_WAL_DIR": str(folder / "wal"),
        "BIND_ADDRESS": f"127.0.0.1:{own_port}",
        "HTTP_BIND_ADDRESS": f"127.0.0.1:{port}",
        "REPORTING_DISABLED": "true",
        "MONITOR_STORE_ENABLED": "false",
    }
    variables = {f"INFLUXDB_{name}": value for name, value in settings.items()}
    with _running([command, "run", "-config", os.devnull], port, "/ping", variables) as client:
        yield client


@contextmanager
def victoria_metrics(folder: Path) -> Iterator[httpx.Client]:
    """A running VictoriaMetrics on an empty folder."""
    command = _find("victoria-metrics", "victoria-metrics")
    port = free_port()
    words = [command, "-retentionPeriod=100y", f"-storageDataPath={folder}"]
    words += [f"-httpListenAddr=127.0.0.1:{port}", "-loggerLevel=ERROR"]
    with _running(words, port, "/health", {}) as client:
        yield client


def write(client: httpx.Client, lines: list[str], db: str = "router", rp: str = "") -> None:
    """Write line protocol to either of them."""
    question = {"db": db} | ({"rp": rp} if rp else {})
    answer = client.post("/write", params=question, content="\n".join(lines).encode())
    assert answer.status_code == 204, answer.text


def history(days: list[int], flows: int, stamps: int) -> list[str]:
    """Messages, queues and a measurement of its own: `flows * stamps` lines of each a day."""
    return [
        line
        for day in days
        for flow in range(flows)
        for at in range(stamps)
        for line in _at(flow, (day * DAY_S + at * 10) * NS)
    ]


def _at(flow: int, stamp: int) -> list[str]:
    own = f'load={flow}.25,n={flow}i,ok=true,say="x \\"y\\", z"'
    return [
        f"messages,source=web,tenant=t{flow} bytes=100i,count=3i,latency_ms={flow + 0.5} {stamp}",
        f"queue,queue=q{flow} backlog={flow}i,oldest_age_s=1.5 {stamp}",
        f"own\\ one,host=h{flow},path=a\\,b {own} {stamp}",
    ]


@contextmanager
def _running(
    words: list[str], port: int, path: str, variables: dict[str, str]
) -> Iterator[httpx.Client]:
    process = subprocess.Popen(
        words,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            eventually(lambda: _answers(client, path), within_s=60, what=words[0])
            yield client
    finally:
        process.terminate()
        process.wait(60)


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).is_success
    except httpx.TransportError:
        return False


def _find(command: str, package: str) -> str:
    found = shutil.which(command)
    if found is None:
        pytest.skip(f"no {command} here (Debian: apt-get install {package})")
    return found
