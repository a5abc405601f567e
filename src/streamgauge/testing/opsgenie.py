"""A small HTTP server that stands in for Opsgenie: takes what its API takes, and keeps all of it.

Source: Opsgenie's Alert API (`POST /v2/alerts`, `POST /v2/alerts/{identifier}/close`), which
answers 202 with a request id.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class TakenRequest:
    """One request as it came."""

    method: str
    path: str
    """Percent signs decoded, without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any
    """JSON; None where there was none."""


class OpsgenieStandIn:
    """Listens on a free port of the loopback from `start` to `close`.

    `refuse_next` makes it answer 500 to that many requests; those are kept in `refused`.
    """

    def __init__(self) -> None:
        self.requests: list[TakenRequest] = []
        self.refused: list[TakenRequest] = []
        self.refuse_next = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _answering(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> OpsgenieStandIn:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, request: TakenRequest) -> int:
        """Keep a request; the status to answer with."""
        with self._lock:
            if self.refuse_next:
                self.refuse_next -= 1
                self.refused.append(request)
                return 500
            self.requests.append(request)
            return 202

    @property
    def created(self) -> list[TakenRequest]:
        """The `POST /v2/alerts` among them, oldest first."""
        return [r for r in self.requests if r.method == "POST" and r.path == "/v2/alerts"]

    @property
    def closed(self) -> list[TakenRequest]:
        """The `POST /v2/alerts/{identifier}/close` among them, oldest first."""
        return [r for r in self.requests if r.method == "POST" and r.path.endswith("/close")]


def _answering(stand_in: OpsgenieStandIn) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = stand_in.take(_read(self))
            self._answer(status, {"result": "Request will be processed", "requestId": "1"})

        def do_PUT(self) -> None:
            self.do_POST()

        def do_GET(self) -> None:
            stand_in.take(_read(self))
            self._answer(200, {"data": {"success": True, "isSuccess": True}})

        def _answer(self, status: int, body: Mapping[str, object]) -> None:
            data = json.dumps({**body, "took": 0.01}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
            """Stay quiet."""

    return Answer


def _read(request: BaseHTTPRequestHandler) -> TakenRequest:
    parts = urlsplit(request.path)
    text = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    return TakenRequest(
        method=request.command,
        path=unquote(parts.path),
        query={key: values[-1] for key, values in parse_qs(parts.query).items()},
        headers={key.lower(): value for key, value in request.headers.items()},
        body=json.loads(text) if text else None,
    )
