"""A real HTTP server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Taken:
    """One request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any

    @property
    def what(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What the server says; `hangs` says nothing until the server is closed."""

    status: int = 202
    body: str = '{"result": "Request will be processed", "requestId": "r-1"}'
    headers: dict[str, str] = field(default_factory=dict)
    hangs: bool = False


class Receiver:
    """Answers with `answers`, one each, then 202 for ever."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.answers: list[Answer] = []
        self._closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def what(self) -> list[str]:
        return [one.what for one in self.taken]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.taken.append(
                    Taken(
                        self.command,
                        unquote(parts.path),
                        parse_qs(parts.query),
                        {name.lower(): value for name, value in self.headers.items()},
                        json.loads(body) if body else None,
                    )
                )
                answer = receiver.answers.pop(0) if receiver.answers else Answer()
                if answer.hangs:
                    receiver._closing.wait()
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body.encode())

            do_POST = do_PUT = _answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler
