"""Settings of what is taken out of texts before anything is kept."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from streamgauge.app.config.section import Section
from streamgauge.receive.messages.redaction import (
    REPLACEMENT,
    RedactRule,
    check_pattern,
)


class Redact(Section):
    """What else must not be kept of [texts](hops.md#personal-data), beside the personal data that
    `[receive] redact_personal_data` takes out. Rules are applied in order, before those.
    """

    pattern: str
    """A regular expression as [Rust has them](https://docs.rs/regex/latest/regex/#syntax): no
    look-around, no back references, and no text makes it slow."""
    replace: str = REPLACEMENT
    """What stands in its place; `$1` is the first group."""
    fields: tuple[Literal["error", "reason", "id", "text"], ...] = ("error", "reason")
    """Where it is looked for: in `error` and `reason`, in the `id` of hops, in every text field of
    line protocol (`text`), whatever its name and measurement."""

    @field_validator("pattern")
    @classmethod
    def _can_be_used(cls, value: str) -> str:
        check_pattern(value)
        return value

    @property
    def rule(self) -> RedactRule:
        """For receiving."""
        return RedactRule(self.pattern, self.replace, tuple(self.fields))
