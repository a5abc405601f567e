"""Settings of what is judged, and of who is told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator

from streamgauge.app.config.section import Section
from streamgauge.app.units import Duration
from streamgauge.model.words import Severity


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
    headers: dict[str, SecretStr] = {}  # noqa: RUF012 (pydantic copies it)


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
