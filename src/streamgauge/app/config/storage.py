"""Settings of what is kept: how long, in how much room, where copies go, and what it costs."""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import Self

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import Duration, Retention, Size

MIN_MINUTE_RETENTION_S = 2 * 86400.0
LEAST_BUDGETS = {"disk_budget": (10**6, "1MB"), "memory_budget": (256 * 10**6, "256MB")}


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
    """What the data folder may take; default: all that its file system has room for.
    1 MB is the least."""
    memory_budget: Size | None = None
    """What streamgauge may take, engine included; default: half of the machine's memory, or of its
    control group's. 256 MB are the least."""

    @field_validator("disk_budget", "memory_budget")
    @classmethod
    def _is_enough_to_run(cls, value: int | None, info: ValidationInfo) -> int | None:
        least, words = LEAST_BUDGETS[info.field_name or ""]
        if value is not None and value < least:
            raise ValueError(f'at least "{words}"')
        return value

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

    @field_validator("endpoint")
    @classmethod
    def _names_scheme_and_host(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s]+/?", value):
            raise ValueError('http(s)://host:port, such as "https://s3.example.com"')
        return value


class StateSettings(Section):
    """Incidents and notifications."""

    url: str | None = None
    """`sqlite:////absolute/file` or `postgresql+psycopg://…`; default: DATA/state.sqlite3."""
    audit_retention: Retention = 400 * 86400.0
    """How long it is remembered who changed what is expected; a million changes at most. What is
    older goes with the next change."""
