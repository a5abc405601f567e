"""Where the engine is: `chdb:///folder`, or `clickhouse://user:password@host:port/database?…`."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from streamgauge.model.errors import ConfigError

EMBEDDED = "chdb"
SERVER = "clickhouse"
PORT, SECURE_PORT = 8123, 8443
"""Of ClickHouse's HTTP interface. Source: https://clickhouse.com/docs/guides/sre/network-ports"""
COMPRESSIONS = ("lz4", "zstd", "none")
_SWITCHES = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A ClickHouse server, and how it is spoken to.

    Attributes:
        host: Name or IP address.
        port: Of the HTTP interface.
        user: Who we are there.
        password: Never shown.
        database: Where our tables stand.
        cluster: Name of the cluster its tables are spread over; empty: none.
        is_secure: Whether TLS is spoken.
        is_verified: Whether its certificate is checked.
        ca_cert: File with the certificates that are trusted; empty: the system's.
        compression: Of what goes over the network: `lz4`, `zstd` or `none`.
        connect_timeout_s: How long it may take to be reached.
        read_timeout_s: How long it may keep silent.
    """

    host: str
    port: int
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "default"
    cluster: str = ""
    is_secure: bool = False
    is_verified: bool = True
    ca_cert: str = ""
    compression: str = "lz4"
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0

    def __str__(self) -> str:
        """For people; without anything secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_embedded(url: str) -> bool:
    """Whether the engine is to run embedded, on a folder.

    Raises:
        ConfigError: it is neither kind of address.
    """
    scheme = urlsplit(url).scheme
    if scheme not in {EMBEDDED, SERVER}:
        raise ConfigError(
            "[store] url: give chdb:///absolute/folder or "
            f"clickhouse://user:password@host:port/database, not {scheme or 'no scheme'}:…"
        )
    return scheme == EMBEDDED


def embedded_path(url: str) -> str:
    """The folder of `chdb:///folder`.

    Raises:
        ConfigError: it is no absolute path.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/"):
        raise ConfigError("[store] url: chdb:// needs an absolute folder, as in chdb:///var/lib/x")
    return path


def server_address(url: str) -> ServerAddress:
    """Understand `clickhouse://…`.

    Raises:
        ConfigError: it cannot be used; says which part, without the password.
    """
    parts = urlsplit(url)
    options = _Options(dict(parse_qsl(parts.query, keep_blank_values=True)))
    is_secure = options.switch("secure", False)
    database = unquote(parts.path.strip("/")) or "default"
    if not parts.hostname or parts.scheme != SERVER:
        raise _unusable("it needs a host, as in clickhouse://user:password@host:8123/database")
    address = ServerAddress(
        host=parts.hostname,
        port=_port(parts) or (SECURE_PORT if is_secure else PORT),
        user=unquote(parts.username or "default"),
        password=unquote(parts.password or ""),
        database=database,
        cluster=options.text("cluster", ""),
        is_secure=is_secure,
        is_verified=options.switch("verify", True),
        ca_cert=options.text("ca_cert", ""),
        compression=options.one_of("compression", COMPRESSIONS),
        connect_timeout_s=options.seconds("connect_timeout_s", 5.0),
        read_timeout_s=options.seconds("read_timeout_s", 60.0),
    )
    options.refuse_rest()
    return address


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:
        raise _unusable("the port must be a number up to 65535") from None


def _unusable(what: str) -> ConfigError:
    return ConfigError(f"[store] url: {what}")


class _Options:
    """What stands behind `?`; each is taken once, what is left is unknown."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values
        self._known: list[str] = []

    def text(self, name: str, default: str) -> str:
        self._known.append(name)
        return self._values.pop(name, default)

    def switch(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in _SWITCHES:
            raise _unusable(f"{name}={value}: give true or false")
        return _SWITCHES[value]

    def one_of(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.text(name, choices[0])
        if value not in choices:
            raise _unusable(f"{name}={value}: give one of {', '.join(choices)}")
        return value

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            seconds = float(value)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds < float("inf"):
            raise _unusable(f"{name}={value}: give seconds, more than 0")
        return seconds

    def refuse_rest(self) -> None:
        if self._values:
            unknown = sorted(self._values)[0]
            raise _unusable(f"unknown option `{unknown}`; accepted: {', '.join(self._known)}")
