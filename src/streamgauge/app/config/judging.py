"""Settings of what is judged, and of who is told."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    field_validator,
    model_validator,
)

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import Duration
from streamgauge.detect.budget import FALSE_PAGES_PER_1000_FLOWS
from streamgauge.detect.calendars import parse_calendar
from streamgauge.model.instants import read_instant
from streamgauge.model.words import Severity


class Detect(Section):
    """How often and how fast detection runs."""

    tick: Duration = 10.0
    """Between two looks at what came in."""
    false_pages: float = Field(default=FALSE_PAGES_PER_1000_FLOWS, gt=0.0, le=100.0)
    """What may be wrong of what opens, a week and 1,000 flows; a small platform may have one a
    month, in proportion. Less: later, and only on stronger evidence."""


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


def _hours(value: object) -> object:
    if isinstance(value, str):
        parse_calendar(value)
    return value


Moment = Annotated[float, BeforeValidator(read_instant)]
"""Epoch seconds, written as an instant."""
Hours = Annotated[str, BeforeValidator(_hours)]
"""Weekly hours, as `detect.calendars` reads them."""


class DeclaredFlow(Section):
    """What is expected of a customer's flows; also over the API and on its page.

    What the API says of the same flows holds in place of what stands here.
    """

    tenant: str
    source: str | None = None
    integration: str | None = None
    pipeline: str | None = None
    retired: bool = False
    """Not expected any more, even if it sends."""
    expected_within: Duration | None = None
    """Longest pause between two messages, within the calendar's hours; default: as learned."""
    first_message_within: Duration = 86400.0
    """How long it may stay without its first message, from when this was first read."""
    first_message_by: Moment | None = None
    """The same as an instant, such as `"2026-12-01T08:00:00Z"`."""
    calendar: Hours | None = None
    """Weekly hours in which messages are expected: `"mon-fri 08:00-18:00 Europe/Berlin"`."""
    paused_until: Moment | None = None
    """No silence until then."""


class Log(Section):
    """What goes to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"
    """`auto`: text on a terminal, else one JSON object a line."""
