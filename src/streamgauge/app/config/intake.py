"""Settings of what comes in: where we listen, who may, and how much."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import Field, SecretStr, field_validator

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import CountLimit, Duration, Size, SizeLimit


class Server(Section):
    """Where streamgauge listens, and where it keeps its data."""

    listen: str = "127.0.0.1:8686"
    """HOST:PORT; on an address that is not loopback, `[auth] tokens` are required."""
    data: str = "streamgauge-data"
    """Folder for the store, the journal and the state; made when missing."""
    public_url: str | None = None
    """How people reach the pages, for links in notifications; default: http://HOST:PORT."""

    @field_validator("listen")
    @classmethod
    def _has_host_and_port(cls, value: str) -> str:
        host, colon, port = value.rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65535:
            raise ValueError('HOST:PORT, such as "127.0.0.1:8686" or "[::1]:8686"')
        return value

    @property
    def host(self) -> str:
        """The address without port and brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The TCP port; 0 lets the system choose one."""
        return int(self.listen.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach us."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


class Auth(Section):
    """Who may write and read. With no token everything is open, on loopback only."""

    tokens: tuple[SecretStr, ...] = ()
    """Accepted as `Authorization: Token …`, `Bearer …`, `GenieKey …` or as Basic password."""


class Receive(Section):
    """Limits on what is taken in."""

    max_body: Size = 25_000_000
    """Largest body of one request, as sent and unzipped."""
    max_new_series_per_tenant_hour: int = Field(default=100_000, ge=1)
    """Guard against a runaway tag: new series beyond this are refused, for that tenant alone."""
    redact_personal_data: bool = True
    """Take e-mail addresses, tokens, keys, passwords and card numbers out of `error` and `reason`,
    and of refused lines, [before anything is kept](hops.md#personal-data)."""


class Limited(Section):
    """What a tenant may send."""

    lines_per_second: CountLimit | None = None
    """Lines that are kept in a second, of all measurements together."""
    bytes_per_second: SizeLimit | None = None
    """Bytes of those lines, unzipped."""
    active_series: CountLimit | None = None
    """Different series seen within the last half to whole hour."""


class Limits(Limited):
    """What every tenant may send; nothing is limited unless it is set here or in a `[[limit]]`.
    Lines over a limit are refused: [what their senders are told](sending.md#limits).
    """

    burst: Duration = Field(default=10.0, ge=1.0)
    """A rate may be saved up for so long and then be spent at once."""


class TenantLimit(Limited):
    """Limits of one tenant; a key that is left out is that of `[limits]`."""

    tenant: str
    """As in the tag `tenant`; `""` is what carries none."""
