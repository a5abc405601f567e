"""`[[map]]`: what people say about metrics whose names mean nothing to us.

The first rule that fits a series decides about it; asked once a series, never once a sample.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from streamgauge.receive.meaning.names import underscored
from streamgauge.receive.measured import Form

_PLACE = re.compile(r"\{([^{}]+)\}")


def pattern_of(text: str) -> re.Pattern[str]:
    """A glob (`rabbitmq_*`), or between slashes a regular expression; it fits a whole text.

    Raises:
        re.error: it is no regular expression.
    """
    if len(text) > 1 and text[0] == text[-1] == "/":
        return re.compile(f"(?:{text[1:-1]})\\Z")
    return re.compile(translate(text))


@dataclass(frozen=True, slots=True)
class Derived:
    """A tag's value by that of a label."""

    of: str
    """The label."""
    values: Sequence[tuple[re.Pattern[str], str]]
    """The first pattern that fits the label's value says which; none: the tag is not set."""


@dataclass(frozen=True, slots=True)
class MapRule:
    """One of them."""

    metric: str
    pattern: re.Pattern[str]
    where: Mapping[str, re.Pattern[str]] = field(default_factory=dict)
    """Labels that must fit too; one that is not there is empty."""
    to: str = ""
    """The name of one of our instruments; empty: what its own name says."""
    is_dropped: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    """Label → tag."""
    set_tags: Mapping[str, str] = field(default_factory=dict)
    """Tag → value; `{label}` stands for the value of a label."""
    drop_tags: Sequence[str] = ()
    derive: Mapping[str, Derived] = field(default_factory=dict)
    scale: float | None = None
    """What numbers are multiplied with, in place of what their unit says."""
    form: Form | None = None
    """How numbers are to be read, where their format does not say."""
    number: int = 0
    """Its place in the configuration, from 1 on."""

    def fits(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether it decides about a series."""
        if not any(self.pattern.match(one) for one in _names_of(name)):
            return False
        return all(one.match(labels.get(label, "")) for label, one in self.where.items())

    def applied(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that it makes of these."""
        made = {
            self.rename.get(name, name): value
            for name, value in labels.items()
            if name not in self.drop_tags
        }
        for tag, derived in self.derive.items():
            value = labels.get(derived.of, "")
            for pattern, word in derived.values:
                if pattern.match(value):
                    made[tag] = word
                    break
        for tag, template in self.set_tags.items():
            made[tag] = _PLACE.sub(lambda found: labels.get(found[1], ""), template)
        return {name: value for name, value in made.items() if value}


def _names_of(name: str) -> list[str]:
    """A bucket of a classic histogram also goes by the histogram's name."""
    names = [name, underscored(name)] if "." in name else [name]
    return [*names, name.removesuffix("_bucket")] if name.endswith("_bucket") else names


def find_rule(rules: Sequence[MapRule], name: str, labels: Mapping[str, str]) -> MapRule | None:
    """The first that fits, if any does."""
    return next((rule for rule in rules if rule.fits(name, labels)), None)
