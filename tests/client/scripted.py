"""A real HTTP server that answers as it is told."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

LOSE, HANG = "lose the answer", "hang"
Step = int | str | tuple[int, dict[str, str]]
"""A status, with or without headers; or LOSE or HANG."""


@dataclass
class Scripted:
    """What it answers, and what it was asked."""

    url: str = ""
    upstream: str | None = None
    """Where requests go whose step is LOSE or a status of 2xx; in place of the latter, its answer
    is given. None: they go nowhere."""
    steps: deque[Step] = field(default_factory=deque)
    paths: dict[str, Step] = field(default_factory=dict)
    """What comes before the steps, by path."""
    then: Step = 204
    """When there are no more steps."""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    taken_keys: list[str] = field(default_factory=list)
    """Of what was answered with 2xx."""
    connection_count: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Ends what hangs."""

    def step_for(self, path: str) -> Step:
        """What comes now."""
        step = self.paths.get(path.partition("?")[0])
        if step is not None:
            return step
        return self.steps.popleft() if self.steps else self.then

    @property
    def keys(self) -> list[str]:
        return [headers["idempotency-key"] for _, headers, _ in self.requests]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, script: Scripted) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.forward = httpx.Client(trust_env=False, timeout=30)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.script.connection_count += 1

    def do_POST(self) -> None:
        script = self.server.script
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        script.requests.append((self.path, headers, body))
        step = script.step_for(self.path)
        if step == HANG:
            script.released.wait(60)
            self.close_connection = True
            return
        status, extra = step if isinstance(step, tuple) else (step, {})
        content = b'{"error":"as told"}'
        if script.upstream and (status == LOSE or int(status) < 300):
            status, content = self._forward(script.upstream, headers, body, is_lost=status == LOSE)
        self._answer(status, extra, content)

    def _forward(
        self, upstream: str, headers: dict[str, str], body: bytes, *, is_lost: bool
    ) -> tuple[int | str, bytes]:
        try:
            url = upstream + self.path
            answer = self.server.forward.post(url, content=body, headers=headers)
        except httpx.TransportError:
            return LOSE, b""
        return LOSE if is_lost else answer.status_code, answer.content

    def _answer(self, status: int | str, extra: dict[str, str], content: bytes) -> None:
        if status == LOSE:
            self.close_connection = True
            return
        if int(status) < 300:
            self.server.script.taken_keys.append(self.headers["Idempotency-Key"])
        content = b"" if status == 204 else content
        self.send_response(int(status))
        for name, value in {**extra, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def scripted(upstream: str | None = None) -> Iterator[Scripted]:
    """Serve while the block lasts."""
    script = Scripted(upstream=upstream)
    server = _Server(script)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield script
    finally:
        script.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
        server.forward.close()
