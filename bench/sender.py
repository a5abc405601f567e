"""A cheap client in a process of its own: bodies over one kept-alive connection.

Everything is built before the clock starts; while it runs, the client copies bytes to a socket and
reads status lines. Its own processor time is measured, as it shares the machine with the server.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

_CONTEXT = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Sent:
    """What one round of sending took."""

    began_at: float
    """`time.monotonic()` when the clients were let go."""
    acknowledged_s: float
    """Until the last body was acknowledged."""
    client_cpu_s: float
    """Of all clients together."""


class Senders:
    """Client processes with their bodies, ready to go."""

    def __init__(
        self,
        port: int,
        path: str,
        bodies: Sequence[bytes],
        clients: int = 2,
        headers: str = "Content-Type: text/plain\r\n",
    ) -> None:
        self._pipes: list[Connection] = []
        self._processes = []
        for number in range(clients):
            ours, theirs = _CONTEXT.Pipe()
            requests = [_request(port, path, body, headers) for body in bodies[number::clients]]
            process = _CONTEXT.Process(target=_send_all, args=(theirs, port, requests))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def go(self) -> Sent:
        """Send everything; the clients end."""
        began = time.monotonic()
        for pipe in self._pipes:
            pipe.send("go")
        answers = [pipe.recv() for pipe in self._pipes]
        for process in self._processes:
            process.join()
        for answer in answers:
            if answer["error"]:
                raise RuntimeError(answer["error"])
        last = max(answer["ended_at"] for answer in answers)
        return Sent(began, last - began, sum(answer["cpu_s"] for answer in answers))


def _request(port: int, path: str, body: bytes, headers: str) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _send_all(pipe: Connection, port: int, requests: Sequence[bytes]) -> None:
    error = ""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pipe.send("ready")
        pipe.recv()
        cpu = time.process_time()
        for request in requests:
            connection.sendall(request)
            answer = connection.recv(65536)
            if not answer.startswith((b"HTTP/1.1 204", b"HTTP/1.1 200")):
                error = f"the server answered {answer[:500]!r}"
                break
        ended = time.monotonic()
    pipe.send({"ended_at": ended, "cpu_s": time.process_time() - cpu, "error": error})
