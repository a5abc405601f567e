"""Reads what somebody says of flows: items of JSON, lines of CSV, and fields of forms; pure.

Each item is read by itself, so that every bad one can be named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from streamgauge.detect.calendars import parse_calendar
from streamgauge.model.errors import PayloadError
from streamgauge.model.expected import Changes, FlowEdit
from streamgauge.model.flow import Scope
from streamgauge.model.instants import is_duration, read_duration, read_instant

T = TypeVar("T")
MAX_ITEMS = 100_000
SCOPE_FIELDS = ("tenant", "source", "integration", "pipeline")
FIELDS = (
    *SCOPE_FIELDS,
    "expected_within",
    "first_message_by",
    "calendar",
    "paused_until",
    "retired",
    "remove",
)
MAX_NAME = 1024


@dataclass(frozen=True, slots=True)
class ItemFault:
    """Why one item cannot be used."""

    index: int
    """From 0."""
    field: str
    """Empty: the item as a whole."""
    reason: str

    def __str__(self) -> str:
        """As it is told."""
        where = f"flows[{self.index}]" + (f".{self.field}" if self.field else "")
        return f"{where}: {self.reason}"


class ItemError(ValueError):
    """One field of an item cannot be used."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field, self.reason = field, reason


def read_items(body: object, now: float) -> tuple[list[FlowEdit], list[ItemFault]]:
    """The edits of `{"flows": […]}`, and what is wrong with items that are none.

    Raises:
        PayloadError: it has another form, or too many items.
    """
    items = body.get("flows") if isinstance(body, Mapping) else None
    if not isinstance(items, Sequence) or isinstance(items, str) or not isinstance(body, Mapping):
        raise PayloadError('the body must be {"flows": [{"tenant": "acme", …}, …]}')
    if strange := sorted(str(name) for name in body if name != "flows"):
        raise PayloadError(f"{strange[0][:64]!r} is not known beside `flows`")
    if len(items) > MAX_ITEMS:
        raise PayloadError(
            f"{len(items):,} flows, at most {MAX_ITEMS:,} at once: send them in parts"
        )
    edits, faults = [], []
    for index, item in enumerate(items):
        try:
            edits.append(read_item(item, now))
        except ItemError as error:
            faults.append(ItemFault(index, error.field, error.reason))
    return edits, faults


def read_item(item: object, now: float) -> FlowEdit:
    """One item; what it leaves out stays as it was, null takes it away.

    Args:
        item: a JSON object.
        now: epoch seconds, from which a pause of some duration counts.

    Raises:
        ItemError: names the field.
    """
    if not isinstance(item, Mapping):
        raise ItemError("", "must be an object")
    if strange := sorted(str(name) for name in item if name not in FIELDS):
        raise ItemError(strange[0][:64], f"is not known; accepted are {', '.join(FIELDS)}")
    scope = _scope(item)
    if _flag(item, "remove"):
        if others := sorted(name for name in item if name not in {*SCOPE_FIELDS, "remove"}):
            raise ItemError(others[0], "means nothing beside `remove`")
        return FlowEdit(scope, is_removal=True)
    return FlowEdit(scope, _changes(item, now))


def _scope(item: Mapping[str, object]) -> Scope:
    if not isinstance(item.get("tenant"), str):
        raise ItemError("tenant", "the customer's name must be given")
    parts: list[str | None] = []
    for name in SCOPE_FIELDS:
        value = item.get(name)
        if value is not None and not isinstance(value, str):
            raise ItemError(name, f"must be text, not {_shown(value)}")
        if value is not None and len(value) > MAX_NAME:
            raise ItemError(name, f"is longer than {MAX_NAME} characters")
        parts.append(value)
    return Scope(*parts)


def _changes(item: Mapping[str, object], now: float) -> Changes:
    changes = Changes()
    if "expected_within" in item:
        changes["expected_within_s"] = _read(item, "expected_within", _seconds)
    if "first_message_by" in item:
        value = item["first_message_by"]
        if is_duration(value):
            changes["first_message_within_s"] = read_duration(value)
        else:
            changes["first_message_by"] = _read(item, "first_message_by", read_instant)
    if "calendar" in item:
        changes["calendar"] = _read(item, "calendar", _calendar)
    if "paused_until" in item:
        value = item["paused_until"]
        changes["paused_until"] = (
            now + read_duration(value)
            if is_duration(value)
            else _read(item, "paused_until", read_instant)
        )
    if "retired" in item:
        changes["is_retired"] = _flag(item, "retired")
    return changes


def _read(item: Mapping[str, object], name: str, read: Callable[[object], T]) -> T | None:
    value = item[name]
    if value is None:
        return None
    try:
        return read(value)
    except ValueError as error:
        raise ItemError(name, f"{_shown(value)} is not {error}") from None


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return float(value)
    return read_duration(value)


def _calendar(value: object) -> str:
    text = " ".join(str(value).split())
    try:
        parse_calendar(text)
    except ValueError as error:
        raise ValueError(f"a calendar: {error}") from None
    return text


def _flag(item: Mapping[str, object], name: str) -> bool:
    value = item.get(name, False)
    if not isinstance(value, bool):
        raise ItemError(name, f"must be true or false, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    return repr(value)[:64]
