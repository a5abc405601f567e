"""Settings of what metrics mean whose names say nothing to us."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from streamgauge.app.config.section import Section
from streamgauge.receive.meaning.names import OURS
from streamgauge.receive.meaning.rules import Derived, MapRule, pattern_of
from streamgauge.receive.measured import Form

_FORMS = {"counter": Form.CUMULATIVE, "gauge": Form.GAUGE, "delta": Form.DELTA}


class Derive(Section):
    """A tag whose value depends on a label's."""

    of: str
    """The label."""
    values: dict[str, str] = Field(min_length=1)
    """Regular expression → value of the tag; the first that fits all of the label's value."""

    @field_validator("values")
    @classmethod
    def _can_be_read(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern in value:
            _check_pattern(f"/{pattern}/")
        return value


class MapSettings(Section):
    """What a metric means whose name says nothing to us. The first one that fits a series decides;
    [mapping](mapping.md) has examples.
    """

    metric: str = Field(min_length=1)
    """Its name, as a glob (`rabbitmq_*`) or between slashes as a regular expression; of a line of
    line protocol measurement and field, with `_` between (the measurement alone for `value`)."""
    where: dict[str, str] = Field(default_factory=dict)
    """Labels that must fit as well: label → glob or /regular expression/."""
    to: str | None = None
    """What it is: `messages`, `message.bytes`, `message.latency`, `message.queue_time`,
    `queue.backlog`, `queue.oldest_age`, `queue.in`, `queue.out`, `queue.consumers`,
    `queue.in_flight`. Without it the metric stays what it is, with other tags."""
    drop: bool = False
    """Do not keep it at all."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Label → tag: `{ customer = "tenant" }`."""
    set_tags: dict[str, str] = Field(default_factory=dict, alias="set")
    """Tag → value; `{label}` in it stands for the value of a label."""
    drop_tags: tuple[str, ...] = ()
    """Labels that are left out."""
    derive: dict[str, Derive] = Field(default_factory=dict)
    """Tag → `{ of = label, values = { pattern = value } }`."""
    scale: float | None = Field(default=None, gt=0)
    """What its numbers are multiplied with to be seconds or bytes; default: as its unit says."""
    form: Literal["counter", "gauge", "delta"] | None = None
    """`counter`: it only ever grows; `delta`: what came since the one before; default: as its
    format says, else `counter` for metrics and `delta` for line protocol."""

    @field_validator("metric")
    @classmethod
    def _metric_can_be_read(cls, value: str) -> str:
        return _check_pattern(value)

    @field_validator("where")
    @classmethod
    def _where_can_be_read(cls, value: dict[str, str]) -> dict[str, str]:
        for pattern in value.values():
            _check_pattern(pattern)
        return value

    @field_validator("to")
    @classmethod
    def _is_ours(cls, value: str | None) -> str | None:
        if value is not None and value not in OURS:
            near = difflib.get_close_matches(value, OURS, n=1)
            hint = f"did you mean `{near[0]}`? " if near else ""
            raise ValueError(f"{hint}one of {', '.join(OURS)}")
        return value

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        tags = (self.rename, self.set_tags, self.drop_tags, self.derive)
        if self.drop and (self.to or any(tags)):
            raise ValueError("`drop = true` leaves nothing for the other keys to do")
        if not (self.drop or self.to or any(tags)):
            raise ValueError("at least one of `to`, `drop`, `rename`, `set`, `drop_tags`, `derive`")
        return self

    def rule(self, number: int) -> MapRule:
        """As receiving takes it; `number` is its place in the file, from 1 on."""
        return MapRule(
            metric=self.metric,
            pattern=pattern_of(self.metric),
            where={label: pattern_of(one) for label, one in self.where.items()},
            to=self.to or "",
            is_dropped=self.drop,
            rename=self.rename,
            set_tags=self.set_tags,
            drop_tags=self.drop_tags,
            derive=_derived(self.derive),
            scale=self.scale,
            form=_FORMS[self.form] if self.form else None,
            number=number,
        )


def _derived(derive: Mapping[str, Derive]) -> dict[str, Derived]:
    return {
        tag: Derived(one.of, [(pattern_of(f"/{text}/"), word) for text, word in one.values.items()])
        for tag, one in derive.items()
    }


def _check_pattern(text: str) -> str:
    try:
        pattern_of(text)
    except re.error as error:
        raise ValueError(f"a glob, or a regular expression between slashes ({error})") from None
    return text
