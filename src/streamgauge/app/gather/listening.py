"""From the configuration to listeners without answers: UDP and Unix sockets."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

from streamgauge.app.config.intake import Server
from streamgauge.app.config.listeners import Udp, Unix
from streamgauge.app.configuration import Configuration
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.datagrams.keeping import Lines
from streamgauge.receive.datagrams.listeners import DatagramListener
from streamgauge.receive.datagrams.sockets import check_unix_path, udp_socket, unix_socket
from streamgauge.receive.datagrams.streams import StreamListener
from streamgauge.receive.meaning.metering import Metering


def check_listeners(configuration: Configuration) -> None:
    """Whether they can be listened at.

    Raises:
        ConfigError: in use, or not to be had; says why and what to do.
    """
    udp, unix = configuration.udp.server, configuration.unix
    if udp is not None:
        udp_socket(udp.host, udp.port).close()
    for path, kind in ((unix.datagram, socket.SOCK_DGRAM), (unix.stream, socket.SOCK_STREAM)):
        if path:
            check_unix_path(Path(path), kind)


def listeners(
    configuration: Configuration, metering: Metering, registry: GathererRegistry
) -> list[DatagramListener | StreamListener]:
    """Those that are configured."""
    found: list[DatagramListener | StreamListener] = []
    if configuration.udp.server is not None:
        found.append(_udp(configuration.udp, configuration.udp.server, metering, registry))
    if configuration.unix.datagram:
        found.append(_unixgram(configuration.unix, metering, registry))
    if configuration.unix.stream:
        found.append(_unix(configuration.unix, metering, registry))
    return found


def _udp(
    udp: Udp, server: Server, metering: Metering, registry: GathererRegistry
) -> DatagramListener:
    pulse = registry.add("udp", "udp", server.listen)
    lines = Lines("udp", udp.db, udp.precision)
    opening = partial(udp_socket, server.host, server.port)
    return DatagramListener(lines, opening, metering, pulse, udp.networks)


def _unixgram(unix: Unix, metering: Metering, registry: GathererRegistry) -> DatagramListener:
    path = Path(unix.datagram or "")
    pulse = registry.add("unixgram", "unixgram", str(path))
    opening = partial(unix_socket, path, socket.SOCK_DGRAM, unix.permissions)
    lines = Lines("unixgram", unix.db, unix.precision)
    return DatagramListener(lines, opening, metering, pulse)


def _unix(unix: Unix, metering: Metering, registry: GathererRegistry) -> StreamListener:
    path = Path(unix.stream or "")
    pulse = registry.add("unix", "unix", str(path))
    opening = partial(unix_socket, path, socket.SOCK_STREAM, unix.permissions)
    return StreamListener(Lines("unix", unix.db, unix.precision), opening, metering, pulse)
