"""Listens for datagrams, by UDP or at a Unix socket, until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import structlog

from streamgauge.model.errors import ConfigError
from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.health import Pulse
from streamgauge.receive.datagrams.keeping import Keeper, Lines
from streamgauge.receive.datagrams.losses import Loss, Losses
from streamgauge.receive.datagrams.reading import DatagramReader, Network
from streamgauge.receive.datagrams.sockets import (
    dropped_count,
    file_of,
    remove_file,
)
from streamgauge.receive.datagrams.waiting import MAX_WAITING_BYTES, Waiting
from streamgauge.receive.meaning.metering import Metering

log = structlog.get_logger()

Open = Callable[[], socket.socket]
_KERNEL = "the socket's buffer was full, as it was not read fast enough"
_ROUND = 2**32


class DatagramListener:
    """One socket of datagrams.

    Args:
        lines: what its lines mean, and its name.
        open_socket: opens it; may raise ConfigError.
        metering: keeps what comes.
        pulse: its health.
        allow: networks whose datagrams are taken; empty: of anybody who can reach it.
        max_waiting_bytes: of what may wait for the parser.
    """

    def __init__(
        self,
        lines: Lines,
        open_socket: Open,
        metering: Metering,
        pulse: Pulse,
        allow: tuple[Network, ...] = (),
        max_waiting_bytes: int = MAX_WAITING_BYTES,
    ) -> None:
        self.name = lines.path
        self._lines, self._open, self._metering, self._pulse = lines, open_socket, metering, pulse
        self._allow, self._max_waiting_bytes = allow, max_waiting_bytes
        gates = metering.intake.gates
        self._clock, self._losses = gates.clock, Losses(lines.path, gates.ledger, pulse)
        self._dropped = 0
        self.address: object = None
        """Where it listens, as the socket tells it; once it does."""

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop`; then what is there is read and kept.

        Raises:
            ConfigError: it cannot be listened there.
        """
        waiting = Waiting(self._max_waiting_bytes)
        keeper = Keeper(self._lines, self._metering, waiting, self._losses, self._pulse)
        loop = asyncio.get_running_loop()
        with opened_for(self._open, self._pulse) as opened:
            reader = DatagramReader(opened, waiting, self._losses, self._clock, self._allow)
            self.address, file = opened.getsockname(), file_of(opened)
            loop.add_reader(opened, reader.read)
            log.info(f"line protocol is taken at {self.name} {shown(self.address)}")
            try:
                await keeper.run(stop, lambda: self._look(opened))
            finally:
                loop.remove_reader(opened)
                remove_file(file)
                reader.read_all()
                self._look(opened)
        await keeper.finish()

    def _look(self, opened: socket.socket) -> None:
        """Count what the kernel dropped since the last look."""
        now = dropped_count(opened)
        self._losses.count(Loss.KERNEL, (now - self._dropped) % _ROUND, _KERNEL)
        self._dropped = now


def opened_for(open_socket: Open, pulse: Pulse) -> socket.socket:
    """The socket; how that went is told to the pulse.

    Raises:
        ConfigError: it cannot be opened.
    """
    try:
        opened = open_socket()
    except ConfigError as error:
        pulse.failed(Fault.REFUSED, str(error))
        raise
    pulse.succeeded()
    return opened


def shown(address: object) -> str:
    """A socket's address for people."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
