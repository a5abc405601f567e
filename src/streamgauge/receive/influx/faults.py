"""Why a line is refused: a class for counting, and a sentence for people.

The vectorised steps only know *that* a line is wrong; the first hundred are read again here, one
at a time, to say what InfluxDB would have said.

Source: influxdata/influxdb 1.8 models/points.go, the texts of its errors.
"""

from __future__ import annotations

import re
from enum import IntEnum

from streamgauge.receive.influx.fields import FALSE_WORDS, TRUE_WORDS
from streamgauge.receive.influx.keys import MAX_KEY_BYTES, KeyFault, read_key


class Fault(IntEnum):
    """The classes of refused lines."""

    NONE = 0
    SYNTAX = 1
    """Not line protocol."""
    ENCODING = 2
    """Not UTF-8."""
    STAMP = 3
    """A time stamp that is refused: before 1970, or too far ahead."""
    COUNT = 4
    """`count` of messages that is no count."""
    SERIES = 5
    """More new series than a tenant may have in an hour."""
    LINES_PER_S = 6
    BYTES_PER_S = 7
    ACTIVE_SERIES = 8
    """The three limits of a tenant, off until configured."""


_BLANK = " \t\0"
_BLANKS = re.compile(r"[ \t\0]*+")
_KEY_END = re.compile(r"(?:\\[,= ]|[^ ])*+")
_NAME = re.compile(r"(?:\\[,= ]|[^,= ])*+")
_STRING = re.compile(r'"(?:\\.|[^"\\])*+"', re.DOTALL)
_PLAIN = re.compile(r"(?:\\[,= ]|[^, ])*+")
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WHOLE = re.compile(r"(-?\d+)([iu])")
_STAMP = re.compile(r"-?\d+")

_INT64 = (-(2**63), 2**63 - 1)
_UINT64 = (0, 2**64 - 1)


def syntax_reason(line: str, key_bytes: int = 0) -> str:
    """What is wrong with a line, in InfluxDB's words.

    Args:
        line: without its end of line.
        key_bytes: size of the whole series key.
    """
    if key_bytes > MAX_KEY_BYTES:
        return f"max key length exceeded: {key_bytes} > {MAX_KEY_BYTES}"
    key_end = _end(_KEY_END, line, 0)
    try:
        read_key(line[:key_end])
    except KeyFault as fault:
        return str(fault)
    at = _end(_BLANKS, line, key_end)
    if at >= len(line):
        return "missing fields"
    reason, at = _fields_reason(line, at)
    return reason or _stamp_reason(line[at:].strip(_BLANK))


def _end(pattern: re.Pattern[str], line: str, at: int) -> int:
    match = pattern.match(line, at)
    return match.end() if match else at


def _fields_reason(line: str, at: int) -> tuple[str, int]:
    """The first fault in the fields from `at` on, or "" and where they end."""
    while True:
        name_end = _end(_NAME, line, at)
        if name_end >= len(line) or line[name_end] != "=":
            return "invalid field format", at
        if name_end == at:
            return "missing field key", at
        reason, at = _value_reason(line, name_end + 1)
        if reason or at >= len(line) or line[at] == " ":
            return reason, at
        at += 1


def _value_reason(line: str, at: int) -> tuple[str, int]:
    """The fault of the value at `at`, or "" and where it ends."""
    if at >= len(line) or line[at] in ", ":
        return "missing field value", at
    if line[at] == '"':
        end = _end(_STRING, line, at)
        if end == at:
            return "unbalanced quotes", at
        return ("" if line[end : end + 1] in ("", ",", " ") else "invalid field format"), end
    end = _end(_PLAIN, line, at)
    word = line[at:end]
    if word[0] in "0123456789.-Nn":
        return _number_reason(word), end
    return ("" if word in TRUE_WORDS + FALSE_WORDS else "invalid boolean"), end


def _number_reason(word: str) -> str:
    whole = _WHOLE.fullmatch(word)
    if whole:
        digits, suffix = whole.groups()
        low, high = _INT64 if suffix == "i" else _UINT64
        if suffix == "u" and digits[0] == "-":
            return "invalid number"
        if len(digits) > 400 or not low <= int(digits) <= high:
            name, call = ("integer", "ParseInt") if suffix == "i" else ("unsigned", "ParseUint")
            shown = digits if len(digits) <= 40 else f"{digits[:40]}…"
            return (
                f'unable to parse {name} {shown}: strconv.{call}: parsing "{shown}": '
                "value out of range"
            )
        return ""
    if not _NUMBER.fullmatch(word):
        return "invalid number"
    return "" if abs(float(word)) != float("inf") else "invalid float"


def _stamp_reason(stamp: str) -> str:
    digits, _, rest = stamp.partition(" ")
    if digits and not _STAMP.fullmatch(digits):
        return "bad timestamp"
    if rest:
        return "point is invalid"
    return "time outside range -9223372036854775806 - 9223372036854775806"
