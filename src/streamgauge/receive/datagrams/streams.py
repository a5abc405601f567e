"""Listens for lines at a Unix socket of the stream kind, until it is told to stop.

A stream can be held back: while nothing more can wait, nothing more is read, and its sender feels
it. So nothing of a stream is lost but what cannot be kept at the very end.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import structlog

from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.datagrams.keeping import Keeper, Lines
from streamgauge.receive.datagrams.listeners import Open, opened_for, shown
from streamgauge.receive.datagrams.losses import Loss, Losses
from streamgauge.receive.datagrams.sockets import file_of, remove_file
from streamgauge.receive.datagrams.waiting import MAX_WAITING_BYTES, Waiting
from streamgauge.receive.meaning.metering import Metering

log = structlog.get_logger()

MAX_CONNECTIONS = 256
"""At the same time; further ones are ended at once."""
MAX_LINE_BYTES = 1_000_000
"""A longer line ends its connection."""
READ_BYTES = 65_536
STOP_WITHIN_S = 2.0
"""At the end connections have so long to hand over what they have sent already."""
_IDLE_S = 0.05
"""A connection on which nothing comes for so long has handed over all."""


class StreamListener:
    """One listening socket and its connections.

    Args:
        lines: what its lines mean, and its name.
        open_socket: opens it; may raise ConfigError.
        metering: keeps what comes.
        pulse: its health.
        max_waiting_bytes: of what may wait for the parser.
    """

    def __init__(
        self,
        lines: Lines,
        open_socket: Open,
        metering: Metering,
        pulse: Pulse,
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self.name = lines.path
        self._lines, self._open, self._metering, self._pulse = lines, open_socket, metering, pulse
        gates = metering.intake.gates
        self._clock, self._losses = gates.clock, Losses(lines.path, gates.ledger, pulse)
        self._max_waiting_bytes = max_waiting_bytes
        self._connections: list[_Connection] = []
        self.address: object = None
        """Where it listens; once it does."""

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`; then what has been sent is kept.

        Raises:
            ConfigError: it cannot be listened there.
        """
        waiting = Waiting(self._max_waiting_bytes)
        keeper = Keeper(self._lines, self._metering, waiting, self._losses, self._pulse)
        opened = opened_for(self._open, self._pulse)
        self.address, file = opened.getsockname(), file_of(opened)
        server = await self._serve(opened, waiting)
        log.info(f"line protocol is taken at {self.name} {shown(self.address)}")
        try:
            await keeper.run(stop, lambda: None)
        finally:
            server.close()
            remove_file(file)
            ending = asyncio.create_task(self._end_connections())
            while not ending.done():  # what is kept makes room for what still comes
                await keeper.finish()
                await asyncio.wait({ending}, timeout=_IDLE_S)
        await keeper.finish()

    async def _serve(self, opened: socket.socket, waiting: Waiting) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is None or len(self._connections) >= MAX_CONNECTIONS:
                writer.close()
                return
            connection = _Connection(task, reader, writer)
            self._connections.append(connection)
            try:
                await self._read(connection, waiting)
            except ConnectionError:
                pass
            finally:
                self._connections.remove(connection)
                writer.close()

        return await asyncio.start_unix_server(connected, sock=opened, limit=READ_BYTES)

    async def _read(self, connection: _Connection, waiting: Waiting) -> None:
        """Hand on whole lines until the connection ends."""
        rest = b""
        while data := await connection.reader.read(READ_BYTES):
            connection.read_count += 1
            whole, line_break, tail = (rest + data).rpartition(b"\n")
            rest = tail if line_break else rest + data
            if whole:
                connection.is_held = True
                await self._add(waiting, whole)
                connection.is_held = False
            if len(rest) > MAX_LINE_BYTES:
                why = f"a line of more than {MAX_LINE_BYTES:,} bytes"
                self._losses.count(Loss.TOO_LARGE, 1, why)
                return
        if rest.strip():
            why = "the connection ended in the middle of a line: end each line by a line break"
            self._losses.count(Loss.CUT_OFF, 1, why)

    async def _add(self, waiting: Waiting, whole: bytes) -> None:
        """Put lines to what waits, once there is room."""
        line_count = whole.count(b"\n") + 1
        while not waiting.add(whole, self._clock.now(), line_count):
            await waiting.room()

    async def _end_connections(self) -> None:
        """End each connection once it is idle, and all of them after a while."""
        before: dict[int, int] = {}
        for _ in range(round(STOP_WITHIN_S / _IDLE_S)):
            if not self._connections:
                return
            for one in self._connections:
                if not one.is_held and before.get(id(one)) == one.read_count:
                    one.end()
            before = {id(one): one.read_count for one in self._connections}
            await asyncio.sleep(_IDLE_S)
        late = [one.task for one in self._connections]
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


@dataclass(eq=False, slots=True)
class _Connection:
    """One sender."""

    task: asyncio.Task[None]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    read_count: int = 0
    is_held: bool = False
    """Its lines wait for room."""
    is_ended: bool = False

    def end(self) -> None:
        """Let its reader find the end; for one that waits for what comes next."""
        if not self.is_ended:
            self.is_ended = True
            self.writer.transport.pause_reading()  # type: ignore[attr-defined]
            self.reader.feed_eof()
