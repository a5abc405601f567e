"""Brokers and databases of a test's own: the machine's programs, each on a free port and a folder.

They can be killed and started again on the same folder and port. `port_of` answers with the one
that runs on this machine where there is one. A test is skipped only where a program is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamgauge.testing.process import free_port
from streamgauge.testing.waiting import eventually

PORTS = {"rabbitmq": 5672, "nats": 4222, "redis": 6379, "postgresql": 5432}
STARTS_WITHIN_S = 120.0


def listens(port: int) -> bool:
    """Whether somebody answers on that port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def program(name: str, *places: str) -> str:
    """The path of an installed program.

    Raises:
        Skipped: it is not installed.
    """
    found = shutil.which(name) or next(
        (str(path) for place in places for path in sorted(Path("/").glob(place))), None
    )
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@dataclass
class Service:
    """One program; it ends with the block of `running`."""

    name: str
    port: int
    command: Sequence[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    leaves: Path | None = None
    """A folder that nobody else removes."""

    def start(self) -> Service:
        """Start it, and wait until its port answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "output.txt").open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        eventually(self._is_up, within_s=STARTS_WITHIN_S, what=self.name)
        return self

    def _is_up(self) -> bool:
        if self.process is None or self.process.poll() is not None:
            said = (self.folder / "output.txt").read_text(errors="replace")
            raise AssertionError(f"{self.name} ended at its start:\n{said[-2000:]}")
        return listens(self.port)

    def kill(self) -> None:
        """`kill -9`, with all it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def running(service: Service) -> Iterator[Service]:
    """Started, while the block runs."""
    try:
        yield service.start()
    finally:
        service.kill()
        if service.leaves:
            shutil.rmtree(service.leaves, ignore_errors=True)


def redis(folder: Path, *arguments: str) -> Service:
    """Redis without persistence."""
    port = free_port()
    command = [program("redis-server"), "--bind", "127.0.0.1", "--port", str(port)]
    return Service("redis", port, [*command, "--save", "", "--dir", "/tmp", *arguments], folder)


def nats(folder: Path, more: str = "") -> Service:
    """NATS with JetStream; `more` is added to its configuration."""
    port, config = free_port(), folder / "nats.conf"
    folder.mkdir(parents=True, exist_ok=True)
    store = f'jetstream {{ store_dir: "{folder}/store" }}\n' if "jetstream" not in more else ""
    config.write_text(f'listen: "127.0.0.1:{port}"\n{store}{more}')
    return Service("nats", port, [program("nats-server"), "-c", str(config)], folder)


def postgresql(folder: Path) -> Service:
    """PostgreSQL; user `postgres` without a password, others by theirs. It never runs as root."""
    place = "usr/lib/postgresql/*/bin"
    initdb, server = program("initdb", f"{place}/initdb"), program("postgres", f"{place}/postgres")
    become: list[str] = []
    # Beside pytest's folders: those are its user's alone, and made so again by every other run.
    home = Path(tempfile.mkdtemp(prefix="streamgauge-postgresql-"))
    if os.getuid() == 0:
        become = [program("setpriv"), "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(home, "postgres")
    data = home / "data"
    make = [*become, initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(make, check=True, capture_output=True)
    rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    (data / "pg_hba.conf").write_text(rules)
    port = free_port()
    flags = ["-h", "127.0.0.1", "-p", str(port), "-k", str(data), "-F"]
    command = [*become, server, "-D", str(data), *flags]
    return Service("postgresql", port, command, folder, leaves=home)


@dataclass
class Rabbit(Service):
    """RabbitMQ with its management API."""

    api_port: int = 0

    def _is_up(self) -> bool:
        return super()._is_up() and listens(self.api_port)


def rabbitmq(folder: Path) -> Rabbit:
    """A node of its own, which tells its figures every 200 ms."""
    server = program("rabbitmq-server", "usr/lib/rabbitmq/bin/rabbitmq-server")
    port, api_port, node = free_port(), free_port(), f"t{uuid.uuid4().hex[:8]}@localhost"
    if Path("/usr/lib/rabbitmq/bin/rabbitmq-server").exists():  # Debian's other one changes users
        server = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plugins").write_text("[rabbitmq_management].")
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\nmanagement.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {api_port}\ncollect_statistics_interval = 200\n"
        "disk_free_limit.absolute = 50MB\nlog.console = true\n"
    )
    (folder / "advanced.config").write_text("[{rabbit, [{quorum_tick_interval, 200}]}].")
    environment = {
        "HOME": str(folder),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_NODENAME": node,
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
    }
    return Rabbit("rabbitmq", port, [server], folder, environment, api_port=api_port)


STARTERS = {"redis": redis, "nats": nats, "postgresql": postgresql, "rabbitmq": rabbitmq}


@contextlib.contextmanager
def port_of(kind: str, folder: Path) -> Iterator[int]:
    """The port of the one that runs here, else of one that is started for the block."""
    if listens(PORTS[kind]):
        yield PORTS[kind]
        return
    with running(STARTERS[kind](folder)) as service:
        yield service.port
