"""ClickHouse's HTTP interface over the embedded engine, as far as its Python client uses it.

Source: https://clickhouse.com/docs/interfaces/http
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import sys
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from streamgauge.store.host.codings import packed, unpacked
from streamgauge.store.host.failures import AUTHENTICATION_FAILED, Refused, refusal
from streamgauge.store.host.process import USER
from streamgauge.store.host.questions import Question, read_question
from streamgauge.store.host.sessions import Answer, Options, Sessions

_VERSION_QUESTION = "SELECT version(), timezone() FORMAT TabSeparated"


class EngineServer(ThreadingHTTPServer):
    """Serves one engine to one user, until `shutdown`; threads end with their connections."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, path: str, password: str, address: tuple[str, int], options: Options | None = None
    ) -> None:
        """Open the engine and listen.

        Args:
            path: The engine's folder.
            password: Of `USER`; who does not know it is refused.
            address: Host and port; port 0: any that is free.
            options: What the engine is opened with, by name.

        Raises:
            Refused: the engine cannot be opened.
            OSError: the address cannot be listened on.
        """
        self.sessions = Sessions(path, options or {})
        self._password = password
        question = Question(_VERSION_QUESTION, None, "TabSeparated", {}, {}, "")
        answer = self.sessions.run(question).body.decode()
        self.version, self.timezone = answer.rstrip("\n").split("\t")
        super().__init__(address, _Handler)

    def admits(self, user: str, password: str) -> bool:
        """Whether these are the credentials."""
        is_user = hmac.compare_digest(user.encode(), USER.encode())
        return hmac.compare_digest(password.encode(), self._password.encode()) and is_user

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """One line for what went wrong with a connection; none if its other end just left."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError):
            print(f"a question broke off: {error!r}", file=sys.stderr)

    def server_close(self) -> None:
        """Stop listening, wait for the questions under way, close the engine."""
        super().server_close()
        self.sessions.close()


class _Handler(BaseHTTPRequestHandler):
    server: EngineServer
    protocol_version = "HTTP/1.1"
    server_version = "streamgauge-engine"
    disable_nagle_algorithm = True
    rbufsize = 256 * 1024

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/ping":
            self._send(HTTPStatus.OK, b"Ok.\n", {})
        else:
            self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Requests are not told: their addresses hold what is asked."""

    def _answer(self, method: str) -> None:
        query = urlsplit(self.path).query
        body = self._body()
        try:
            self._admit(query)
            plain = unpacked(body, self.headers.get("content-encoding", ""))
            question = read_question(method, query, self.headers.get("content-type", ""), plain)
            del body, plain
            self._give(question, self.server.sessions.run(question), query)
        except Refused as refused:
            self._refuse(refused)

    def _give(self, question: Question, answer: Answer, query: str) -> None:
        values = parse_qs(query)
        summary = {"read_rows": answer.read_rows, "written_rows": answer.written_rows}
        headers = {
            "X-ClickHouse-Summary": json.dumps({name: str(n) for name, n in summary.items()}),
            "X-ClickHouse-Query-Id": values.get("query_id", [str(uuid.uuid4())])[0],
            "X-ClickHouse-Timezone": self.server.timezone,
            "Content-Type": "application/octet-stream",
        }
        if question.is_asking:
            headers["X-ClickHouse-Format"] = question.format
        body = answer.body
        if values.get("enable_http_compression") == ["1"] and body:
            body, coding = packed(body, self.headers.get("accept-encoding", ""))
            headers |= {"Content-Encoding": coding} if coding else {}
        self._send(HTTPStatus.OK, body, headers)

    def _refuse(self, refused: Refused) -> None:
        text = f"{refused} (version {self.server.version})\n".encode()
        headers = {
            "X-ClickHouse-Exception-Code": str(refused.code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        self._send(refused.status, text, headers)

    def _send(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value.replace("\r", "").replace("\n", " "))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _admit(self, query: str) -> None:
        user, password = self._credentials(query)
        if not self.server.admits(user, password):
            sentence = (
                f"{user}: Authentication failed: password is incorrect, "
                "or there is no user with such name."
            )
            raise refusal(AUTHENTICATION_FAILED, sentence, "AUTHENTICATION_FAILED")

    def _credentials(self, query: str) -> tuple[str, str]:
        """By ClickHouse's own headers, Basic, or in the address."""
        if "X-ClickHouse-User" in self.headers:
            return self.headers["X-ClickHouse-User"], self.headers.get("X-ClickHouse-Key", "")
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                user, _, password = base64.b64decode(encoded).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return "", ""
            return user, password
        values = parse_qs(query)
        return values.get("user", ["default"])[0], values.get("password", [""])[0]

    def _body(self) -> bytes:
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def _chunks(self) -> list[bytes]:
        chunks = []
        while size := int(self.rfile.readline().split(b";", 1)[0] or b"0", 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return chunks
