"""Reads one series key: measurement and tags. Called once for each distinct key, not for each line.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/
(escapes: comma and space in measurements, also `=` in tag keys, tag values and field keys; any
other backslash is literal; tags may come in any order, each key once, no value empty).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_KEY_BYTES = 65_535
"""InfluxDB's MaxKeyLength; it also bounds what is cached."""

_UNESCAPED_COMMA = re.compile(r"(?<!\\),")
_UNESCAPED_EQUALS = re.compile(r"(?<!\\)=")
_ESCAPED = re.compile(r"\\([,= ])")
_ESCAPED_IN_MEASUREMENT = re.compile(r"\\([, ])")
_SPECIAL = re.compile(r"([,= ])")


class KeyFault(ValueError):
    """The key is none; the text is InfluxDB's."""


@dataclass(frozen=True, slots=True)
class Key:
    """A series."""

    measurement: str
    tags: list[tuple[str, str]]
    """Unescaped, sorted by name."""
    is_plain: bool
    """Nothing in it needs an escape."""


def unescape(text: str) -> str:
    """A tag key, tag value or field key as it was meant."""
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def canonical(tags: list[tuple[str, str]], *, is_plain: bool) -> str:
    """Sorted tags as line protocol, escaped."""
    if not is_plain:
        tags = [(_SPECIAL.sub(r"\\\1", name), _SPECIAL.sub(r"\\\1", value)) for name, value in tags]
    return ",".join([f"{name}={value}" for name, value in tags])


def read_key(text: str) -> Key:
    """Take a series key apart.

    Raises:
        KeyFault: it is none.
    """
    if not text or text[0] == ",":
        raise KeyFault("missing measurement")
    if len(text) * 4 > MAX_KEY_BYTES and (size := len(text.encode())) > MAX_KEY_BYTES:
        raise KeyFault(f"max key length exceeded: {size} > {MAX_KEY_BYTES}")
    is_plain = "\\" not in text
    if not is_plain:
        measurement, tags = _read_escaped(text)
    else:
        measurement, *parts = text.split(",")
        tags = [_tag(*part.partition("=")) for part in parts]
    tags.sort()
    if len({name for name, _ in tags}) < len(tags):
        raise KeyFault("duplicate tags")
    return Key(measurement, tags, is_plain)


def _read_escaped(text: str) -> tuple[str, list[tuple[str, str]]]:
    measurement, *parts = _UNESCAPED_COMMA.split(text)
    tags = []
    for part in parts:
        found = _UNESCAPED_EQUALS.search(part)
        at = found.start() if found else len(part)
        name, value = _tag(part[:at], part[at : at + 1], part[at + 1 :])
        tags.append((unescape(name), unescape(value)))
    return _ESCAPED_IN_MEASUREMENT.sub(r"\1", measurement), tags


def _tag(name: str, equals: str, value: str) -> tuple[str, str]:
    if not name:
        raise KeyFault("missing tag key")
    if not equals or not value:
        raise KeyFault("missing tag value")
    if "=" in value and _UNESCAPED_EQUALS.search(value):
        raise KeyFault("invalid tag format")
    return name, value
