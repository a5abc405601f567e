"""One life of the engine's process: started, asked whether it answers, ended.

It is in our process group and dies with us. Who calls `start` must be a thread that outlives it:
the system counts the end of that thread as the parent's death (prctl(2)).
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlencode

from streamgauge.model.errors import StoreError

USER = "streamgauge"
_PING = "/?" + urlencode({"query": "SELECT 1", "max_execution_time": 0})
_LOOK_EVERY_S = 0.2
_ALLOCATOR, _GIVE_BACK_SOON = "JE_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:0"
"""The engine's allocator keeps what was freed for half a second, in place of five."""
_MANNERS = urlencode({"compression": "none", "read_timeout_s": 300})
"""Packing costs more than it saves on the loopback, and who is silent for long is killed."""


class EngineProcess:
    """A child that holds the engine of one folder.

    Args:
        path: The engine's folder.
        tell: Is given every line the child writes to its standard error, from a thread.
        options: What the engine is opened with, by name.
    """

    def __init__(
        self, path: Path, tell: Callable[[str], None], options: Mapping[str, str] | None = None
    ) -> None:
        self._path, self._tell, self._options = path, tell, dict(options or {})
        self._password = secrets.token_urlsafe(32)
        self._process: subprocess.Popen[bytes] | None = None
        self._telling: threading.Thread | None = None
        self._pinging: http.client.HTTPConnection | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        """Of the running child."""
        return self._running().pid

    @property
    def url(self) -> str:
        """Where it is reached, with the credentials of this life."""
        at = f"clickhouse://{USER}:{quote(self._password)}@127.0.0.1:{self._port}/default"
        return f"{at}?{_MANNERS}"

    def start(self, within_s: float, is_given_up: Callable[[], bool] = lambda: False) -> None:
        """Start it, and wait until the engine is open.

        Args:
            within_s: How long it may take.
            is_given_up: Asked while we wait; True: nobody wants it any more.

        Raises:
            StoreError: it could not be started or opened, or not in time.
        """
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "streamgauge.store.host"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={_ALLOCATOR: _GIVE_BACK_SOON} | os.environ,
            )
        except OSError as error:
            text = f"the engine's process cannot be started: {error.strerror}"
            raise StoreError(text, permanent=False) from error
        self._telling = threading.Thread(target=self._pass_on, name="engine-log", daemon=True)
        self._telling.start()
        try:
            self._order()
            self._wait_for_answer(time.monotonic() + within_s, is_given_up)
            self._port = self._answer()
        except BaseException:
            self.kill()
            raise

    def answers(self, within_s: float) -> bool:
        """Whether the engine itself, not only its process, answers a question in time."""
        if self._pinging is None:
            self._pinging = http.client.HTTPConnection("127.0.0.1", self._port)
        self._pinging.timeout = within_s
        credentials = base64.b64encode(f"{USER}:{self._password}".encode()).decode()
        try:
            if self._pinging.sock is not None:
                self._pinging.sock.settimeout(within_s)
            self._pinging.request("GET", _PING, headers={"Authorization": f"Basic {credentials}"})
            answer = self._pinging.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return False
        return answer.status == http.client.OK

    def memory_bytes(self) -> int:
        """What it holds that no file stands behind; 0: it has ended.

        Source: proc(5), `/proc/pid/status`: RssAnon. Pages of files are given back as needed.
        """
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        return 0

    def ending(self) -> str | None:
        """How it ended, for people; None: it runs."""
        code = self._running().poll()
        if code is None:
            return None
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def stop(self, within_s: float) -> None:
        """End it in order, after the questions under way; by force when that takes too long."""
        process = self._running()
        self._hang_up()
        _close(process.stdin)
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            process.kill()
        self._bury()

    def kill(self) -> None:
        """End it now, even if it stands still."""
        self._running().kill()
        self._hang_up()
        self._bury()

    def _bury(self) -> None:
        process = self._running()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _close(pipe)
        if self._telling is not None:
            self._telling.join()
        _close(process.stderr)

    def _order(self) -> None:
        order = {
            "path": str(self._path),
            "password": self._password,
            "parent": os.getpid(),
            "options": self._options,
        }
        stdin = self._running().stdin
        assert stdin is not None  # noqa: S101 - asked for above
        with suppress(BrokenPipeError):  # it has ended: `_answer` says how
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()

    def _wait_for_answer(self, deadline: float, is_given_up: Callable[[], bool]) -> None:
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101 - asked for above
        answer = select.poll()  # `select` itself knows no descriptor above 1023
        answer.register(stdout, select.POLLIN | select.POLLHUP)
        while not answer.poll(_LOOK_EVERY_S * 1e3):
            if is_given_up() or time.monotonic() > deadline:
                raise StoreError("the engine is not open: it takes too long", permanent=False)

    def _answer(self) -> int:
        """The port in the child's one line."""
        stdout = self._running().stdout
        assert stdout is not None  # noqa: S101 - asked for above
        line = stdout.readline()
        if not line:
            self._running().wait()
            raise StoreError(f"the engine ended at its start ({self.ending()})", permanent=False)
        said = json.loads(line)
        if "error" in said:
            reason = str(said["error"]).partition(", Stack trace")[0].splitlines()[0]
            raise StoreError(f"the engine cannot be opened: {reason[:500]}", permanent=False)
        return int(said["port"])

    def _pass_on(self) -> None:
        stderr = self._running().stderr
        assert stderr is not None  # noqa: S101 - asked for above
        for line in stderr:
            if text := line.decode(errors="replace").rstrip():
                self._tell(text)

    def _hang_up(self) -> None:
        if self._pinging is not None:
            self._pinging.close()
            self._pinging = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        with suppress(BrokenPipeError):
            pipe.close()
