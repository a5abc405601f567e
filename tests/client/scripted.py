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
    """What it answers, and what it was asked.

    Attributes:
        upstream: requests whose step is LOSE, or a status of 2xx, go there, and 2xx becomes its
            answer; None: they go nowhere.
    """

    url: str = ""
    upstream: str | None = None
    steps: deque[Step] = field(default_factory=deque)
    then: Step = 204
    """When there are no more steps."""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    connection_count: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Ends what hangs."""

    @property
    def keys(self) -> list[str]:
        return [headers["idempotency-key"] for _, headers, _ in self.requests]


@contextmanager
def scripted(upstream: str | None = None) -> Iterator[Scripted]:
    """Serve while the block lasts."""
    script = Scripted(upstream=upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            script.connection_count += 1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append((self.path, headers, body))
            step = script.steps.popleft() if script.steps else script.then
            if step == HANG:
                script.released.wait(60)
                self.close_connection = True
                return
            status, extra = step if isinstance(step, tuple) else (step, {})
            content = b'{"error":"as told"}'
            if script.upstream and (status == LOSE or int(status) < 300):
                answer = httpx.post(script.upstream + self.path, content=body, headers=headers)
                status, content = (status if status == LOSE else answer.status_code, answer.content)
            if status == LOSE:
                self.close_connection = True
                return
            self.send_response(int(status))
            for name, value in extra.items():
                self.send_header(name, value)
            if status == 204:
                content = b""
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
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
