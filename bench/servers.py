"""The programs that are measured: started on an empty folder, asked, ended by their own id."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import httpx

from bench.report import first_line
from bench.shape import Load
from streamgauge.testing.process import StreamgaugeProcess, free_port
from streamgauge.testing.waiting import eventually

LINE_PROTOCOL = "Content-Type: text/plain\r\n"


class Server(Protocol):
    """One program under measurement."""

    name: str
    version: str
    port: int
    write_path: str
    write_headers: str
    """Lines of the request's head, each with its end."""

    @property
    def pid(self) -> int:
        """Of its first process."""
        ...

    def is_complete(self, load: Load) -> bool:
        """Whether a query now finds everything that `load` holds."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Streamgauge:
    """Ourselves, as `streamgauge up`."""

    name = "streamgauge"
    write_path = "/write?db=bench"
    write_headers = LINE_PROTOCOL

    def __init__(self, folder: Path, config: str = "") -> None:
        self._process = StreamgaugeProcess(folder, config).start()
        self.port = self._process.port
        self.version = first_line("git", "describe", "--always", "--dirty") or "unknown"

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self._process.pid

    def is_complete(self, load: Load) -> bool:
        """Whether the overview counts every message."""
        question = {"from": load.from_s, "to": load.to_s}
        answer = self._process.client.get("/api/v1/overview", params=question).raise_for_status()
        return bool(answer.json()["messages"] == load.message_count)

    def close(self) -> None:
        """End it."""
        self._process.close()


class VictoriaMetrics:
    """Debian's package, storing raw points through its InfluxDB endpoint."""

    name = "VictoriaMetrics"
    write_path = "/write?db=bench"
    write_headers = LINE_PROTOCOL
    command = package = "victoria-metrics"
    counted = "messages_count"
    """Whose samples show that all is there."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.version = _package_version(self.package)
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)
        arguments = [
            *(self.command, "-retentionPeriod=100y", f"-storageDataPath={folder}"),
            *(f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=ERROR"),
        ]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        _wait_until_up(self._client, "/health", self.name)

    @property
    def pid(self) -> int:
        """Of its only process."""
        return self._process.pid

    def is_complete(self, load: Load) -> bool:
        """Whether every sample of the field `count` is found, after it was asked to show them."""
        return self.counts(load) == load.line_count

    def counts(self, load: Load) -> int:
        """Samples of what is counted that are found within the load."""
        self._client.get("/internal/force_flush").raise_for_status()
        question = {
            "query": f"sum(count_over_time({self.counted}[{load.to_s - load.from_s}s]))",
            "time": f"{load.to_s - 0.001:.3f}",
            "nocache": "1",
        }
        answer = self._client.get("/api/v1/query", params=question).raise_for_status()
        result = answer.json()["data"]["result"]
        return int(result[0]["value"][1]) if result else 0

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._process.terminate()
        self._process.wait(60)


class InfluxDB:
    """Debian's package (1.6), storing raw points, with its default settings."""

    name = "InfluxDB"
    write_path = "/write?db=bench"
    write_headers = LINE_PROTOCOL
    command = "influxd"
    package = "influxdb"

    def __init__(self, folder: Path) -> None:
        self.port, own_port = free_port(), free_port()
        self.version = _package_version(self.package)
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", trust_env=False, timeout=60
        )
        settings = {
            "META_DIR": str(folder / "meta"),
            "DATA_DIR": str(folder / "data"),
            "DATA_WAL_DIR": str(folder / "wal"),
            "BIND_ADDRESS": f"127.0.0.1:{own_port}",
            "HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "HTTP_LOG_ENABLED": "false",
            "REPORTING_DISABLED": "true",
            "MONITOR_STORE_ENABLED": "false",
        }
        environment = {f"INFLUXDB_{name}": value for name, value in settings.items()}
        self._process = subprocess.Popen(
            [self.command, "run", "-config", os.devnull],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_until_up(self._client, "/ping", self.name)
        question = {"q": "CREATE DATABASE bench"}
        self._client.post("/query", params=question).raise_for_status()

    @property
    def pid(self) -> int:
        """Of its only process."""
        return self._process.pid

    def is_complete(self, load: Load) -> bool:
        """Whether every value of the field `count` is counted."""
        question = {
            "db": "bench",
            "q": f"SELECT count(count) FROM messages WHERE time >= {load.from_s}s "
            f"AND time < {load.to_s}s",
        }
        answer = self._client.get("/query", params=question).raise_for_status()
        series = answer.json()["results"][0].get("series")
        return bool(series) and int(series[0]["values"][0][1]) == load.line_count

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._process.terminate()
        self._process.wait(60)


Peer = type[VictoriaMetrics] | type[InfluxDB]
PEERS: tuple[Peer, ...] = (VictoriaMetrics, InfluxDB)


def find_peers() -> list[Peer]:
    """Those that can be measured here."""
    return [kind for kind in PEERS if missing(kind) is None]


def missing_peers() -> list[str]:
    """Why others cannot, for people."""
    return [reason for kind in PEERS if (reason := missing(kind))]


def missing(kind: Peer) -> str | None:
    """Why a program cannot be measured here, or None when it can; as root it is installed."""
    if shutil.which(kind.command):
        return None
    name = kind.package
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return f"{kind.command} is not installed (Debian: apt-get install {name})"
    print(f"· installing {name} (once)", flush=True)
    for command in (["update"], ["install", "-y", "--no-install-recommends", name]):
        done = subprocess.run(["apt-get", "-qq", *command], capture_output=True, check=False)
        if done.returncode:
            return f"{name} cannot be installed: {done.stderr.decode()[-300:].strip()}"
    return None


def _wait_until_up(client: httpx.Client, path: str, name: str) -> None:
    eventually(lambda: _answers(client, path), within_s=30, every_s=0.05, what=name)


def _answers(client: httpx.Client, path: str) -> bool:
    try:
        client.get(path).raise_for_status()
    except httpx.TransportError:
        return False
    return True


def _package_version(package: str) -> str:
    return first_line("dpkg-query", "-W", "-f=${Version}", package) or "unknown"
