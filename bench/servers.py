"""The programs that are measured: started on an empty folder, asked, ended by their own id."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Protocol

import httpx

from bench.shape import Load
from streamgauge.testing.process import StreamgaugeProcess, free_port

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Server(Protocol):
    """One program under measurement."""

    name: str
    version: str
    port: int
    write_path: str

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

    def __init__(self, folder: Path) -> None:
        self._process = StreamgaugeProcess(folder).start()
        self.port = self._process.port
        self.version = _first_line("git", "describe", "--always", "--dirty") or "unknown"

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
    command = "victoria-metrics"

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.version = _package_version()
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", trust_env=False)
        arguments = [
            *(self.command, "-retentionPeriod=100y", f"-storageDataPath={folder}"),
            *(f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=ERROR"),
        ]
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        self._wait_until_up()

    @property
    def pid(self) -> int:
        """Of its only process."""
        return self._process.pid

    def is_complete(self, load: Load) -> bool:
        """Whether every sample of the field `count` is found, after it was asked to show them."""
        self._client.get("/internal/force_flush").raise_for_status()
        question = {
            "query": f"sum(count_over_time(messages_count[{load.to_s - load.from_s}s]))",
            "time": f"{load.to_s - 0.001:.3f}",
            "nocache": "1",
        }
        answer = self._client.get("/api/v1/query", params=question).raise_for_status()
        result = answer.json()["data"]["result"]
        return bool(result) and int(result[0]["value"][1]) == load.line_count

    def close(self) -> None:
        """End it."""
        self._client.close()
        self._process.terminate()
        self._process.wait(60)

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                self._client.get("/health").raise_for_status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("VictoriaMetrics did not start within 30 s")


def find_victoria_metrics() -> str | None:
    """Why VictoriaMetrics cannot be measured here, or None when it can; as root it is installed."""
    if shutil.which(VictoriaMetrics.command):
        return None
    if os.getuid() != 0 or not shutil.which("apt-get"):
        return "victoria-metrics is not installed (Debian: apt-get install victoria-metrics)"
    print("· installing victoria-metrics (once)", flush=True)
    for command in (["update"], ["install", "-y", "--no-install-recommends", "victoria-metrics"]):
        done = subprocess.run(["apt-get", "-qq", *command], capture_output=True, check=False)
        if done.returncode:
            return f"victoria-metrics cannot be installed: {done.stderr.decode()[-300:].strip()}"
    return None


def cpu_s(pid: int) -> float:
    """Processor time, seconds, of a process and its living descendants.

    Source: proc(5), `/proc/pid/stat`: utime, stime, and cutime, cstime of those that have ended.
    """
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = sum(int(ticks) for ticks in stat[11:15]) / _TICKS_PER_S
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(child)) for child in children)


def resident_bytes(pid: int) -> int:
    """Memory that a process holds now."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _package_version() -> str:
    return _first_line("dpkg-query", "-W", "-f=${Version}", "victoria-metrics") or "unknown"


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.partition("\n")[0].strip()
