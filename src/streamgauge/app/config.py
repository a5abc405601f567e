"""The one typed tree of settings: what each means, its default, what is accepted.

Read once at the start by `app.configuration`; everything below `app` gets plain dataclasses.
"""

from __future__ import annotations

import math
from ipaddress import ip_address
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)

from streamgauge.app.units import CountLimit, Duration, Retention, Size, SizeLimit
from streamgauge.model.words import Severity

MIN_MINUTE_RETENTION_S = 2 * 86400.0


class Section(BaseModel):
    """A table of the configuration: unknown keys are refused, values cannot change later."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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


class Store(Section):
    """The engine and the journal before it."""

    url: str | None = None
    """`chdb:///absolute/folder`, or `clickhouse://user:password@host:port/database`, with
    `?cluster=name` on a cluster; default: DATA/store."""
    engine_process: bool = True
    """The embedded engine runs in a process of its own: receiving goes on when it ends or hangs."""
    fsync: bool = False
    """Acknowledge only what has reached the disk: also survives a power cut, and costs time."""
    journal: Size = 2_000_000_000
    """What the journal may hold before receiving answers 503."""
    raw_retention: Retention = 7 * 86400.0
    """How long lines are kept as they came, at least: whole days go. What was summed stays."""
    minute_retention: Retention = 35 * 86400.0
    """How long sums by the minute are kept; seven days go at once. Two days are the least:
    detection starts from them."""
    hour_retention: Retention = 400 * 86400.0
    """How long sums by the hour are kept; 30 days go at once."""
    day_retention: Retention = math.inf
    """How long sums by the day are kept; 360 days go at once."""
    disk_budget: Size | None = None
    """What the data folder may take; default: all that its file system has room for."""
    memory_budget: Size | None = None
    """What streamgauge may take, engine included; default: half of the machine's memory, or of its
    control group's."""

    @model_validator(mode="after")
    def _coarser_is_kept_longer(self) -> Self:
        names = ("raw_retention", "minute_retention", "hour_retention", "day_retention")
        for finer, coarser in pairwise(names):
            if getattr(self, coarser) < getattr(self, finer):
                raise ValueError(f"{coarser} must not be shorter than {finer}")
        if self.minute_retention < MIN_MINUTE_RETENTION_S:
            raise ValueError('minute_retention must be at least "2d"')
        return self


class Govern(Section):
    """When people are told that our own disk or memory runs out, and what is given up then: raw
    lines first, minutes after them, hours and days never ([sizing](sizing.md)).
    """

    every: Duration = Field(default=300.0, ge=1.0)
    """Between two looks."""
    warn_before: Duration = 7 * 86400.0
    """An incident opens when the disk, or the room for series, may be used up so soon."""
    give_up_above: float = Field(default=0.9, gt=0, le=1)
    """Share of the disk from which on the oldest raw lines are dropped, then the oldest minutes."""
    give_back_below: float = Field(default=0.75, gt=0, le=1)
    """Share of the disk below which they are kept longer again, as far as that will fit."""
    raw_floor: Duration = 86400.0
    """Raw lines are not shortened below this, unless nothing else is left to give."""
    minute_floor: Duration = Field(default=2 * 86400.0, ge=2 * 86400.0)
    """Minutes are never shortened below this."""

    @model_validator(mode="after")
    def _gives_back_below_giving_up(self) -> Self:
        if self.give_back_below >= self.give_up_above - 0.05:
            raise ValueError("give_back_below must be at least 0.05 below give_up_above")
        return self


class PriceSettings(Section):
    """What things cost a month, for `plan` and the Budget page. The defaults are examples, of the
    order of what clouds ask: replace them by what you pay.
    """

    currency: str = "EUR"
    disk_gb: float = Field(default=0.1, ge=0)
    """A GB of disk."""
    memory_gb: float = Field(default=4.0, ge=0)
    """A GB of memory."""
    cpu: float = Field(default=15.0, ge=0)
    """A processor."""
    network_gb: float = Field(default=0.01, ge=0)
    """A GB that comes in."""


class Backup(Section):
    """Where `streamgauge backup` and `restore` find S3-compatible storage."""

    endpoint: str | None = None
    """`http(s)://host:port`; default: `AWS_ENDPOINT_URL`, else AWS's own of the region."""
    region: str | None = None
    """Default: `AWS_REGION`, else `us-east-1`."""
    access_key: str | None = None
    """Default: `AWS_ACCESS_KEY_ID`."""
    secret_key: SecretStr | None = None
    """Default: `AWS_SECRET_ACCESS_KEY`."""


class StateSettings(Section):
    """Incidents and notifications."""

    url: str | None = None
    """`sqlite:////absolute/file` or `postgresql+psycopg://…`; default: DATA/state.sqlite3."""


class Detect(Section):
    """How often and how fast detection runs."""

    tick: Duration = 10.0
    """Between two looks at what came in."""


class _Notify(Section):
    name: str | None = None
    """How it is called in logs and on pages; default: its kind."""
    severities: tuple[Severity, ...] = (Severity.P1, Severity.P2, Severity.P3)
    """Which incidents it gets."""


class NotifyOpsgenie(_Notify):
    """Opsgenie, or what speaks its API."""

    kind: Literal["opsgenie"]
    url: HttpUrl = HttpUrl("https://api.opsgenie.com")
    """The service's base; `/v2/alerts` is added."""
    api_key: SecretStr


class NotifyWebhook(_Notify):
    """Any program that takes JSON by POST."""

    kind: Literal["webhook"]
    url: HttpUrl
    headers: dict[str, SecretStr] = {}


class NotifyLog(_Notify):
    """A line in our own log."""

    kind: Literal["log"]


Notify = Annotated[NotifyOpsgenie | NotifyWebhook | NotifyLog, Field(discriminator="kind")]


class Rule(Section):
    """A threshold beside the detectors."""

    name: str | None = None
    """Default: the metric and its threshold."""
    metric: str
    """As in /api/v1/timeseries: `error_ratio`, `backlog`, `oldest_age`, `messages`, …"""
    by: tuple[str, ...] = ()
    """Judged for each value of these labels."""
    above: float | None = None
    below: float | None = None
    for_s: Duration = Field(default=60.0, alias="for")
    """How long it must hold."""
    severity: Severity = Severity.P3

    @field_validator("by", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_one_threshold(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of `above` and `below`")
        return self


class DeclaredFlow(Section):
    """A flow that is expected though never seen, or (`retired`) not expected any more."""

    tenant: str
    source: str | None = None
    integration: str | None = None
    pipeline: str | None = None
    retired: bool = False
    first_message_within: Duration = 86400.0
    """How long a declared flow may stay without its first message."""


class Log(Section):
    """What goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: text on a terminal, else one JSON object a line."""


SECTIONS: dict[str, type[Section]] = {
    "server": Server,
    "auth": Auth,
    "receive": Receive,
    "limits": Limits,
    "store": Store,
    "govern": Govern,
    "prices": PriceSettings,
    "state": StateSettings,
    "backup": Backup,
    "detect": Detect,
    "log": Log,
}
"""The tables of the file, and of `STREAMGAUGE_SECTION__KEY` variables."""
