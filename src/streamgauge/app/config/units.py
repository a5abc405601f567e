"""Durations and sizes as people write them in a configuration: `90s`, `5m`, `25MB`."""

from __future__ import annotations

import math
import re
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNLIMITED = 0
"""What `"none"` is read as, where a limit may be given."""
_QUANTITY = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*")


def _read(value: object, units: dict[str, float], example: str) -> float:
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in units:
        raise ValueError(f"a number with a unit ({', '.join(units)}) in quotes, such as {example}")
    return float(match[1]) * units[match[2]]


def parse_duration(value: object) -> float:
    """Seconds of `90s`, `5m`, `2h`, `3d`; a float is taken as seconds already read.

    Raises:
        ValueError: no unit, or one that is not known; says what is accepted.
    """
    return value if isinstance(value, float) else _read(value, _SECONDS, '"5m"')


def parse_retention(value: object) -> float:
    """Seconds as of a duration; infinity for `forever`.

    Raises:
        ValueError: something else; says what is accepted.
    """
    if value == "forever":
        return math.inf
    try:
        return parse_duration(value)
    except ValueError as error:
        raise ValueError(f'{error}; or "forever"') from error


def parse_size(value: object) -> int:
    """Bytes of `512kB`, `25MB`, `2GB`; an int is taken as bytes.

    Raises:
        ValueError: no unit, or one that is not known; says what is accepted.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(_read(value, {name: float(size) for name, size in _BYTES.items()}, '"25MB"'))


def parse_count_limit(value: object) -> int:
    """A whole number from 1 on; infinitely many, as 0, for `none`.

    Raises:
        ValueError: something else; says what is accepted.
    """
    if value == "none":
        return UNLIMITED
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError('a whole number from 1 on, or "none" for no limit')
    return int(text)


def parse_size_limit(value: object) -> int:
    """A size of at least a byte; 0 for `none`.

    Raises:
        ValueError: something else; says what is accepted.
    """
    if value == "none":
        return UNLIMITED
    size = parse_size(value)
    if size < 1:
        raise ValueError('at least "1B", or "none" for no limit')
    return size


Duration = Annotated[float, BeforeValidator(parse_duration)]
"""Seconds, written with a unit."""

Retention = Annotated[float, BeforeValidator(parse_retention)]
"""Seconds, written with a unit, or infinity."""

Size = Annotated[int, BeforeValidator(parse_size)]
"""Bytes, written with a unit."""

CountLimit = Annotated[int, BeforeValidator(parse_count_limit)]
"""How many at most, or UNLIMITED."""

SizeLimit = Annotated[int, BeforeValidator(parse_size_limit)]
"""Bytes at most, or UNLIMITED."""
