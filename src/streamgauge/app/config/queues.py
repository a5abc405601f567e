"""Settings of collectors: queues that are polled."""

from __future__ import annotations

from typing import Any, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import Duration
from streamgauge.receive.collectors.address import shown
from streamgauge.receive.collectors.naming import compile_pattern

_SHARED = frozenset({"kind", "name", "every", "timeout", "include", "exclude", "pattern", "prefix"})
_CREDENTIALS = frozenset({"url", "username", "password", "password_file", "password_variable"})


class Queue(Section):
    """What every kind has."""

    name: str | None = None
    """How the collector is called on pages and in incidents; default: its kind."""
    every: Duration = Field(default=10.0, ge=0.1)
    """Between two looks."""
    timeout: Duration = Field(default=10.0, ge=0.1)
    """What one look may take, connecting included; then it has failed."""
    include: tuple[str, ...] = ()
    """Only queues with these names, `*` and `?` allowed; default: all that the credentials can
    see. A name without either that cannot be seen is told as trouble."""
    exclude: tuple[str, ...] = ()
    """Never these, `*` and `?` allowed."""
    pattern: tuple[str, ...] = ()
    """Whose a queue is, by its name: `events.{tenant}.{integration}`; also `{pipeline}`, and `*`
    for any text. One or several; the first that fits a whole name holds."""
    prefix: str = ""
    """Put before every name, to tell queues of two brokers apart."""

    @field_validator("include", "exclude", "pattern", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("pattern")
    @classmethod
    def _can_be_used(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            compile_pattern(text)
        return value

    @property
    def options(self) -> dict[str, Any]:
        """The keys that only this kind has."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {k: v for k, v in given.items() if k not in _SHARED | _CREDENTIALS}


def _has_port(parts: SplitResult) -> bool:
    """Whether it is left out, or a number that can be one."""
    try:
        return parts.port != 0
    except ValueError:
        return False


class QueueWithAddress(Queue):
    """What is reached by a URL."""

    url: str
    username: str = ""
    """Default: the one in `url`."""
    password: SecretStr = SecretStr("")
    """Default: the one in `url`. It is never shown or logged."""
    password_file: str = ""
    """A file that holds the password alone; it is read again at each connection."""
    password_variable: str = ""
    """An environment variable that holds the password."""

    @field_validator("url", check_fields=False)
    @classmethod
    def _names_scheme_and_host(cls, value: str) -> str:
        schemes = cls.schemes()
        parts = urlsplit(value)
        if (
            parts.scheme not in schemes
            or not parts.netloc.rpartition("@")[2]
            or not _has_port(parts)
        ):
            accepted = " or ".join(f"{scheme}://host:port" for scheme in schemes)
            raise ValueError(f"{accepted}; given {shown(value)}")
        return value

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("http", "https")

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        given = [
            name
            for name in ("password", "password_file", "password_variable")
            if getattr(self, name) not in {"", SecretStr("")}
        ]
        if len(given) > 1:
            raise ValueError(f"one of {' and '.join(given)}, not both")
        return self


class QueueRabbitmq(QueueWithAddress):
    """RabbitMQ. An `http` URL is its management API, which tells all queues; an `amqp` URL asks for
    the queues that `queues` names, where there is no management plugin.
    """

    kind: Literal["rabbitmq"]
    url: str = "http://guest:guest@127.0.0.1:15672"
    """`http(s)://host:15672`, with `/vhost` behind it for one virtual host only; or
    `amqp(s)://host:5672/vhost`."""
    queues: tuple[str, ...] = ()
    """By AMQP: the queues to ask for."""

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("http", "https", "amqp", "amqps")

    @model_validator(mode="after")
    def _names_queues(self) -> Self:
        if self.url.startswith("amqp") and not self.queues:
            raise ValueError('by AMQP queues cannot be discovered: name them, queues = ["…"]')
        return self


class QueueNats(QueueWithAddress):
    """NATS JetStream: every consumer is a queue, `stream/consumer`; so is a stream without any."""

    kind: Literal["nats"]
    url: str = "nats://127.0.0.1:4222"
    credentials_file: str = ""
    """A `.creds` file, in place of user and password."""
    token_file: str = ""
    """A file that holds a token, in place of user and password."""

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("nats", "tls", "ws", "wss")


class QueueRedis(QueueWithAddress):
    """Redis: every consumer group is a queue, `stream/group`; so are a stream without any, and a
    list.
    """

    kind: Literal["redis"]
    url: str = "redis://127.0.0.1:6379"
    """With `/number` behind it for another database than 0."""

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("redis", "rediss")

    @field_validator("url")
    @classmethod
    def _names_a_database(cls, value: str) -> str:
        path = urlsplit(value).path.strip("/")
        if path and not (path.isascii() and path.isdigit()):
            raise ValueError(f"the number of a database behind the host; given {path!r}")
        return value


class QueuePostgresql(QueueWithAddress):
    """PostgreSQL tables that are used as queues."""

    kind: Literal["postgresql"]
    url: str = "postgresql://127.0.0.1:5432/postgres"
    query: str
    """A SELECT with one row a queue. Its columns: `queue` (default: the collector's name),
    `backlog`, `oldest_age_s` (number or interval), `in_total`, `out_total`, `consumers`,
    `in_flight`, `tenant`, `integration`, `pipeline`. NULL is unknown. It cannot change anything."""

    @classmethod
    def schemes(cls) -> tuple[str, ...]:
        """Which URLs are accepted."""
        return ("postgresql", "postgres")
