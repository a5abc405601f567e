"""Settings of line protocol without answers: UDP and Unix sockets."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Literal

from pydantic import field_validator, model_validator

from streamgauge.app.config.intake import Server
from streamgauge.app.config.section import Section

Precision = Literal["ns", "us", "ms", "s", "m", "h"]


class Udp(Section):
    """[Line protocol by UDP](sending.md#udp), for what sends and forgets. UDP knows no tokens, and
    a sender's address can be forged: open it within a network that you trust only.
    """

    listen: str | None = None
    """HOST:PORT to listen at, such as `127.0.0.1:8089`; default: it is off. On an address that is
    not loopback, `allow` is required."""
    allow: tuple[str, ...] = ()
    """Networks or addresses whose datagrams are taken, such as `10.0.0.0/8`; others are counted as
    refused. Empty: all that reach the address."""
    db: str = "udp"
    """The database that lines are marked with, as in `/write?db=…`."""
    precision: Precision = "ns"
    """Unit of the time stamps."""

    @field_validator("listen")
    @classmethod
    def _has_host_and_port(cls, value: str | None) -> str | None:
        return value if value is None else Server._has_host_and_port(value)

    @field_validator("allow")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            try:
                ip_network(one)
            except ValueError as error:
                raise ValueError(
                    f'networks or addresses, such as ["10.0.0.0/8", "192.168.1.7"]: {error}'
                ) from None
        return value

    @model_validator(mode="after")
    def _is_not_open_to_all(self) -> Udp:
        if self.server and not self.server.is_loopback and not self.allow:
            raise ValueError(
                f"{self.listen} can be reached by other machines, and UDP knows no tokens: say who "
                'may send by `allow`, such as allow = ["10.0.0.0/8"], or listen on 127.0.0.1'
            )
        return self

    @property
    def server(self) -> Server | None:
        """The same, as an address."""
        return None if self.listen is None else Server(listen=self.listen)

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """`allow`, read."""
        return tuple(ip_network(one) for one in self.allow)


class Unix(Section):
    """[Line protocol by Unix sockets](sending.md#unix-sockets), for programs of this machine. The
    file's permissions say who may send.
    """

    datagram: str | None = None
    """Path of a socket for datagrams (Telegraf's `unixgram://`); default: none."""
    stream: str | None = None
    """Path of a socket for streams of lines (Telegraf's `unix://`); default: none."""
    mode: str = "660"
    """Permissions of the files, as of `chmod`: by default our user and group may send."""
    db: str = "unix"
    """The database that lines are marked with, as in `/write?db=…`."""
    precision: Precision = "ns"
    """Unit of the time stamps."""

    @field_validator("mode")
    @classmethod
    def _is_octal(cls, value: str) -> str:
        if not 3 <= len(value) <= 4 or set(value) - set("01234567") or int(value, 8) > 0o777:
            raise ValueError('permissions in octal, in quotes, such as "660" or "666"')
        return value

    @model_validator(mode="after")
    def _are_two_files(self) -> Unix:
        if self.datagram and self.datagram == self.stream:
            raise ValueError("`datagram` and `stream` are two sockets: give each a path of its own")
        return self

    @property
    def permissions(self) -> int:
        """`mode`, read."""
        return int(self.mode, 8)
