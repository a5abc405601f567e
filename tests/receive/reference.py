"""The line protocol read one character at a time, as its documentation tells it.

Slow, plain, and written apart from the product's parser, which it is compared with. It knows no
arrays and no regular expressions for structure.

Source: https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/ and
https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/; streamgauge's own rules
(what `messages` and `queue` mean, which time stamps are refused) from its design.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

BLANK = " \t\0"
UNITS = {
    **dict.fromkeys(("", "n", "ns"), 1),
    **dict.fromkeys(("u", "us", "µ"), 10**3),
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}


class Bad(Exception):
    """The line is refused."""


@dataclass
class Result:
    """Rows as tuples, in the order of lines and fields."""

    messages: list[tuple[Any, ...]] = field(default_factory=list)
    queue: list[tuple[Any, ...]] = field(default_factory=list)
    points: list[tuple[Any, ...]] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    line_count: int = 0
    has_all_timestamps: bool = True


def read(body: bytes, precision: str, now_ns: int, ahead_s: float = 3600) -> Result:
    """Read a whole body."""
    text = body.decode("utf-8", "surrogateescape")
    result = Result()
    at, number = 0, 1
    while at < len(text):
        end = logical_end(text, at)
        line = text[at:end]
        stripped = line.removesuffix("\r").lstrip(BLANK)
        if stripped and stripped[0] != "#":
            result.line_count += 1
            try:
                read_line(stripped, UNITS[precision], now_ns, ahead_s, result)
            except Bad:
                result.rejected.append(number)
        number += line.count("\n") + 1
        at = end + 1
    return result


def logical_end(text: str, at: int) -> int:
    """Where the line that begins at `at` ends: at a line break that is not inside a string."""
    physical = text.find("\n", at)
    physical = len(text) if physical < 0 else physical
    i = skip_blank(text, at)
    if i >= physical or text[i] == "#":
        return physical
    i = name_end(text, i, " \n")
    if i >= len(text) or text[i] != " ":
        return physical
    i = skip_blank(text, i)
    end = section_end(text, i) if i < len(text) else None
    if end is None or end <= physical:
        return physical
    after = text.find("\n", end)
    return len(text) if after < 0 else after


def section_end(text: str, i: int) -> int | None:
    """The end of a whole field section, in which strings may have line breaks; None if broken."""
    while True:
        start = i
        i = name_end(text, i, ",= \n")
        if i == start or i >= len(text) or text[i] != "=":
            return None
        i += 1
        if i < len(text) and text[i] == '"':
            i = string_end(text, i)
            if i < 0:
                return None
        else:
            start = i
            while i < len(text) and text[i] not in ",= \n":
                i += 1
            if i == start:
                return None
        if i < len(text) and text[i] == ",":
            i += 1
            continue
        rest = text[i : i + 2]
        if rest in ("", "\r", "\r\n") or rest[0] in " \n" or text[i - 1] == "\r":
            return i
        return None


def skip_blank(text: str, i: int) -> int:
    while i < len(text) and text[i] in BLANK:
        i += 1
    return i


def name_end(text: str, i: int, stops: str) -> int:
    """Walk over a key or name: a backslash takes a following comma, equals sign or space along."""
    while i < len(text) and text[i] not in stops:
        if text[i] == "\\" and i + 1 < len(text) and text[i + 1] in ",= ":
            i += 1
        i += 1
    return i


def string_end(text: str, i: int) -> int:
    """Behind the closing quote of the string that opens at `i`; -1 if none comes."""
    i += 1
    while i < len(text):
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == '"':
            return i + 1
        i += 1
    return -1


def unescape(text: str, special: str) -> str:
    out, i = "", 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text) and text[i + 1] in special:
            i += 1
        out += text[i]
        i += 1
    return out


def read_line(line: str, unit: int, now_ns: int, ahead_s: float, result: Result) -> None:
    """Add one line's rows, or raise Bad."""
    try:
        line.encode("utf-8")
    except UnicodeEncodeError:
        raise Bad("not UTF-8") from None
    end = name_end(line, 0, " ")
    measurement, tags = read_key(line[:end])
    i = skip_blank(line, end)
    fields = []
    while True:
        start = i
        i = name_end(line, i, ",= ")
        if i == start or i >= len(line) or line[i] != "=":
            raise Bad("field key")
        name = unescape(line[start:i], ",= ")
        value, i = read_value(line, i + 1)
        fields.append((name, *value))
        if i >= len(line) or line[i] == " ":
            break
        if line[i] != ",":
            raise Bad("after value")
        i += 1
    i = skip_blank(line, i)
    start = i
    while i < len(line) and line[i] != " ":
        i += 1
    stamp = line[start:i]
    if skip_blank(line, i) < len(line):
        raise Bad("after time stamp")
    time_ns = read_stamp(stamp, unit, now_ns, ahead_s)
    add_rows(result, measurement, tags, fields, time_ns)
    result.has_all_timestamps &= bool(stamp)


def read_key(key: str) -> tuple[str, dict[str, str]]:
    end = name_end(key, 0, ",")
    if end == 0 or len(key.encode()) > 65_535:
        raise Bad("measurement")
    measurement = unescape(key[:end], ", ")
    tags: dict[str, str] = {}
    i = end
    while i < len(key):
        start = i + 1
        i = name_end(key, start, ",=")
        if i == start or i >= len(key) or key[i] != "=":
            raise Bad("tag key")
        name = unescape(key[start:i], ",= ")
        start = i + 1
        i = name_end(key, start, ",=")
        if i == start or (i < len(key) and key[i] == "=") or name in tags:
            raise Bad("tag value")
        tags[name] = unescape(key[start:i], ",= ")
    return measurement, tags


def read_value(line: str, i: int) -> tuple[tuple[str, Any], int]:
    if i < len(line) and line[i] == '"':
        end = string_end(line, i)
        if end < 0:
            raise Bad("quotes")
        return ("s", unescape(line[i + 1 : end - 1], '"\\')), end
    end = i
    while end < len(line) and line[end] not in ",= ":
        end += 1
    word = line[i:end]
    if word in ("t", "T", "true", "True", "TRUE"):
        return ("b", 1), end
    if word in ("f", "F", "false", "False", "FALSE"):
        return ("b", 0), end
    if word[-1:] in ("i", "u") and is_integer(word[:-1]):
        value = int(word[:-1])
        low, high = (-(2**63), 2**63 - 1) if word[-1] == "i" else (0, 2**64 - 1)
        if not low <= value <= high or (word[-1] == "u" and word[0] == "-"):
            raise Bad("range")
        return (word[-1], value), end
    return ("f", read_float(word)), end


def is_integer(word: str) -> bool:
    digits = word.removeprefix("-")
    return digits != "" and all(c in "0123456789" for c in digits)


def read_float(word: str) -> float:
    mantissa, exponent = word, ""
    for i, c in enumerate(word):
        if c in "eE":
            mantissa, exponent = word[:i], word[i + 1 :]
            if not is_integer(exponent.removeprefix("+")) or exponent[:2] == "+-":
                raise Bad("exponent")
            break
    digits = mantissa.removeprefix("-")
    whole, _, part = digits.partition(".")
    if not (whole + part) or not all(c in "0123456789" for c in whole + part):
        raise Bad("number")
    value = float(word)
    if math.isinf(value):
        raise Bad("range")
    return value


def read_stamp(stamp: str, unit: int, now_ns: int, ahead_s: float) -> int:
    if stamp and not is_integer(stamp):
        raise Bad("time stamp")
    time_ns = int(stamp) * unit if stamp else now_ns
    if not 0 <= time_ns <= 2**63 - 1 or time_ns > now_ns + ahead_s * 10**9:
        raise Bad("time stamp")
    return time_ns


def canonical(tags: dict[str, str]) -> str:
    return ",".join(f"{escape(name)}={escape(tags[name])}" for name in sorted(tags))


def escape(text: str) -> str:
    return "".join("\\" + c if c in ",= " else c for c in text)


def first_of(tags: dict[str, str], names: list[str]) -> str:
    for name in names:
        if name in tags:
            return tags.pop(name)
    return ""


def add_rows(
    result: Result,
    measurement: str,
    tags: dict[str, str],
    fields: list[tuple[str, str, Any]],
    time_ns: int,
) -> None:
    """What the line means to streamgauge."""
    if measurement == "messages":
        rest = add_messages(result, dict(tags), fields, time_ns)
    elif measurement == "queue":
        rest = add_queue(result, dict(tags), fields, time_ns)
    else:
        rest = fields
    for name, kind, value in rest:
        number = None if kind == "s" else float(value)
        text = value if kind == "s" else None
        if kind in ("i", "u") and abs(value) >= 2**53:
            text = str(value)
        result.points.append((time_ns, measurement, canonical(tags), name, kind, number, text))


def add_messages(
    result: Result,
    tags: dict[str, str],
    fields: list[tuple[str, str, Any]],
    time_ns: int,
) -> list[tuple[str, str, Any]]:
    defaults = {"tenant": "default", "stage": "delivered", "outcome": "ok"}
    names = ["tenant", "source", "integration", "pipeline", "stage", "outcome", "reason"]
    flow = [tags.pop(name, defaults.get(name, "")) for name in names]
    router = first_of(tags, ["router", "host", "instance", "service.instance.id"])
    version = first_of(tags, ["version", "service.version"])
    count, size, rest = 1, 0, []
    durations: dict[str, float] = {}
    for name, kind, value in fields:
        is_number = kind in ("f", "i", "u")
        is_count = is_number and value >= 0 and value < 2**64 and Fraction(value) % 1 == 0
        if name == "count":
            if not is_count or value > 10**15:
                raise Bad("count")
            count = int(value)
        elif name == "bytes" and is_count:
            size = int(value)
        elif (
            name in ("latency_ms", "latency_s", "queue_ms", "queue_s") and is_number and value >= 0
        ):
            durations[name] = float(value)
        else:
            rest.append((name, kind, value))
    pair = []
    for name in ("latency", "queue"):
        seconds = durations.get(f"{name}_s")
        if seconds is None and f"{name}_ms" in durations:
            seconds = durations[f"{name}_ms"] * 1e-3
        pair.append(seconds)
    result.messages.append((time_ns, *flow, router, version, canonical(tags), count, size, *pair))
    return rest


def add_queue(
    result: Result,
    tags: dict[str, str],
    fields: list[tuple[str, str, Any]],
    time_ns: int,
) -> list[tuple[str, str, Any]]:
    words = [tags.pop(name, "") for name in ("queue", "pipeline", "integration", "tenant")]
    router = first_of(tags, ["router", "host", "instance", "service.instance.id"])
    names = ["backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight"]
    given: dict[str, float] = {}
    rest = []
    for name, kind, value in fields:
        if name in names and kind in ("f", "i", "u"):
            given[name] = float(value)
        else:
            rest.append((name, kind, value))
    if given:
        values = [given.get(name) for name in names]
        result.queue.append((time_ns, *words, router, canonical(tags), *values))
    return rest
