"""Reads datagrams off a socket, as many as are there, without a copy that is not needed."""

from __future__ import annotations

import socket
from ipaddress import IPv4Network, IPv6Network, ip_address

from streamgauge.model.clock import Clock
from streamgauge.receive import metrics
from streamgauge.receive.datagrams.losses import Loss, Losses
from streamgauge.receive.datagrams.waiting import Waiting

Network = IPv4Network | IPv6Network

MAX_DATAGRAM_BYTES = 1_000_000
"""UDP's end at 65,507; those of Unix sockets where their sender's buffer does (some 200 kB)."""
TURN = 256
"""Datagrams read before others of the event loop have their turn."""
_MAX_KNOWN = 10_000
_FULL = "its buffer was full, as parser or disk were not fast enough"


class DatagramReader:
    """Of one socket; call `read` when something is there.

    Args:
        opened: does not block.
        waiting: takes what is read.
        losses: counts what is not.
        clock: tells when it came.
        allow: networks whose datagrams are taken; empty: of anybody who can reach the socket.
    """

    def __init__(
        self,
        opened: socket.socket,
        waiting: Waiting,
        losses: Losses,
        clock: Clock,
        allow: tuple[Network, ...] = (),
    ) -> None:
        self._socket, self._waiting, self._losses, self._clock = opened, waiting, losses, clock
        self._is_allowed = _Allowed(allow) if allow else None
        self._buffer = bytearray(MAX_DATAGRAM_BYTES)
        self._view = memoryview(self._buffer)
        self._count = metrics.DATAGRAMS.labels(losses.path).inc

    def read(self, at_most: int = TURN) -> int:
        """Take what is there; how many datagrams that was."""
        now = self._clock.now()
        taken = 0
        for _ in range(at_most):
            try:
                size, sender = self._receive()
            except BlockingIOError:
                break
            except OSError:  # an ICMP answer to somebody else's datagram
                continue
            taken += 1
            self._take(size, sender, now)
        self._count(taken)
        return taken

    def read_all(self) -> None:
        """Take all that is there at the end; bounded, in case it never ends."""
        for _ in range(1_000):
            if self.read() < TURN:
                return

    def _receive(self) -> tuple[int, str]:
        flags = socket.MSG_TRUNC  # the size as it was sent
        if self._is_allowed is None:
            return self._socket.recv_into(self._view, MAX_DATAGRAM_BYTES, flags), ""
        size, address = self._socket.recvfrom_into(self._view, MAX_DATAGRAM_BYTES, flags)
        return size, str(address[0])

    def _take(self, size: int, sender: str, now: float) -> None:
        if self._is_allowed is not None and not self._is_allowed(sender):
            self._losses.count(Loss.NOT_ALLOWED, 1, f"{sender} is not in [udp] allow")
        elif size > MAX_DATAGRAM_BYTES:
            why = f"a datagram of {size:,} bytes, limit {MAX_DATAGRAM_BYTES:,}"
            self._losses.count(Loss.TOO_LARGE, 1, why)
        elif not self._waiting.add(self._view[:size], now):
            self._losses.count(Loss.QUEUE, 1, _FULL)


class _Allowed:
    """Whether an address is in one of the networks; the last ones met are remembered."""

    def __init__(self, networks: tuple[Network, ...]) -> None:
        self._networks = networks
        self._known: dict[str, bool] = {}

    def __call__(self, sender: str) -> bool:
        known = self._known.get(sender)
        if known is None:
            known = self._look(sender)
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            self._known[sender] = known
        return known

    def _look(self, sender: str) -> bool:
        address = ip_address(sender.partition("%")[0])
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)
