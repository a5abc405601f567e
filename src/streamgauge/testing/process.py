"""streamgauge as its users run it: a process of its own, started, killed and started again.

For tests and measurements. It listens on a free port of the loopback and keeps what it says in
files, so that a full pipe never stops it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import httpx

COMMAND = Path(sys.executable).with_name("streamgauge")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def anonymous_bytes() -> int:
    """Memory of this process that no file stands behind.

    Source: proc(5), `/proc/pid/status`: RssAnon.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon")


class StreamgaugeProcess:
    """One data folder and the process that serves it; the process can die, the folder stays.

    Args:
        folder: of the caller; data, configuration and output are kept below it.
        config: the text of `streamgauge.toml`; empty for none.
        host: what to listen on; it is always asked at 127.0.0.1.
        port: a free one unless given. It stays the same over restarts.
        data: the data folder; `folder/data` unless given.
        environment: added to that of this process.
        roles: `--roles`; all of them unless given.
    """

    def __init__(
        self,
        folder: Path,
        config: str = "",
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        data: Path | None = None,
        environment: Mapping[str, str] | None = None,
        roles: str | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.data = folder, data or folder / "data"
        self.port = port or free_port()
        self._listen = f"{host}:{self.port}"
        self.url = f"http://127.0.0.1:{self.port}"
        self._roles = roles
        self._config, self._environment = config, dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(base_url=self.url, timeout=60, trust_env=False)

    def __enter__(self) -> StreamgaugeProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def client(self) -> httpx.Client:
        """An HTTP client whose base is this process."""
        return self._client

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def stdout(self) -> str:
        """What all runs in this folder printed."""
        return self._said("stdout.txt")

    @property
    def stderr(self) -> str:
        """What all runs in this folder logged."""
        return self._said("stderr.txt")

    def start(self, ready_within_s: float = 60) -> StreamgaugeProcess:
        """Start it and wait until `/ready` says yes.

        Raises:
            AssertionError: it ended, or was not ready in time; with what it said.
        """
        self.spawn()
        deadline = time.monotonic() + ready_within_s
        while not self.is_ready():
            code = self._running().poll()
            if code is not None:
                raise AssertionError(f"streamgauge ended with {code} at its start:\n{self.stderr}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready within {ready_within_s:g} s:\n{self.stderr}")
            time.sleep(0.05)
        return self

    def spawn(self) -> None:
        """Start it without waiting for anything."""
        with (
            (self.folder / "stdout.txt").open("ab") as out,
            (self.folder / "stderr.txt").open("ab") as err,
        ):
            self._process = subprocess.Popen(  # noqa: S603 -- our own command
                self._arguments(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **self._environment},
            )

    def is_ready(self) -> bool:
        """Whether it serves writes and queries now."""
        try:
            return self._client.get("/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def is_alive(self) -> bool:
        """Whether it answers at all."""
        try:
            return self._client.get("/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """`kill -9`: nothing of it is asked."""
        self._running().kill()
        self._running().wait()

    def stop(self, within_s: float = 60) -> int:
        """Ask it to end, as a service manager does; its exit code."""
        process = self._running()
        process.send_signal(signal.SIGTERM)
        return process.wait(within_s)

    def wait(self, within_s: float = 60) -> int:
        """The exit code of a process that ends by itself."""
        return self._running().wait(within_s)

    def close(self) -> None:
        """End it if it still runs, by force if it must be."""
        self._client.close()
        if self._process is None or self._process.poll() is not None:
            return
        try:
            self.stop(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def _said(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def _arguments(self) -> Sequence[str]:
        arguments = [str(COMMAND), "up", "--data", str(self.data)]
        arguments += ["--listen", self._listen]
        if self._roles:
            arguments += ["--roles", self._roles]
        if self._config:
            path = self.folder / "streamgauge.toml"
            path.write_text(self._config)
            arguments += ["--config", str(path)]
        return arguments
