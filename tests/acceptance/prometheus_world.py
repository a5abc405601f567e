"""A router that shows its figures by Prometheus's own library, and Debian's Prometheus."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from streamgauge.testing.process import free_port
from streamgauge.testing.waiting import eventually

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Exporter:
    """A router's figures at an address of its own; a restart begins them anew."""

    def __init__(self) -> None:
        self.port = free_port()
        self._server: Any = None
        self._thread: Any = None

    @property
    def url(self) -> str:
        """What is scraped."""
        return f"http://127.0.0.1:{self.port}/metrics"

    def start(self, *, standing_at: int = 0) -> None:
        """Serve.

        Args:
            standing_at: messages that were counted an hour ago.
        """
        registry = CollectorRegistry()
        tags = ["tenant", "integration"]
        self.messages = Counter("messages", "m", [*tags, "outcome"], registry=registry)
        self.latency = Histogram(
            "message_latency_seconds", "l", tags, registry=registry, buckets=BOUNDS
        )
        self.backlog = Gauge("queue_backlog", "b", ["queue"], registry=registry)
        for outcome in ("ok", "error"):
            self.messages.labels("acme", "ga4", outcome)
        self.latency.labels("acme", "ga4")
        if standing_at:
            self.count(standing_at, latency_s=0.01)
            old = time.time() - 3600
            self.messages.labels("acme", "ga4", "ok")._created = old
            self.latency.labels("acme", "ga4")._created = old
        self._server, self._thread = start_http_server(self.port, "127.0.0.1", registry)

    def count(self, count: int, *, outcome: str = "ok", latency_s: float = 0.2) -> None:
        """Messages that arrived."""
        self.messages.labels("acme", "ga4", outcome).inc(count)
        for _ in range(count):
            self.latency.labels("acme", "ga4").observe(latency_s)

    def stop(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None


class Prometheus:
    """Debian's, on a folder that stays over restarts."""

    def __init__(self, folder: Path, config: str) -> None:
        command = shutil.which("prometheus")
        if command is None:
            pytest.skip("no prometheus on this machine (Debian: apt-get install prometheus)")
        self.port = free_port()
        folder.mkdir()
        (folder / "prometheus.yml").write_text(config)
        self._folder = folder
        self._arguments = [
            command,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self._folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen(
                self._arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        eventually(self._is_ready, within_s=60, what="Prometheus")

    def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)

    @property
    def log(self) -> str:
        """What it said."""
        return (self._folder / "log.txt").read_text()

    def metrics(self) -> Mapping[str, float]:
        """Its own figures about remote write, without labels."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", trust_env=False).text
        rows = (line.rpartition(" ") for line in text.splitlines() if "remote_storage" in line)
        return {name.partition("{")[0]: float(value) for name, _, value in rows if name[:1] != "#"}

    def _is_ready(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.port}/-/ready"
            return httpx.get(url, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False
