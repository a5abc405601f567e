"""What a series key means to streamgauge: which table its lines go to, with which tags."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from streamgauge.receive.influx.keys import Key, KeyFault, canonical, read_key

ROUTER_TAGS = ("router", "host", "instance", "service.instance.id")
"""The first of them that is given names the sender's router."""
VERSION_TAGS = ("version", "service.version")

MESSAGES_TAGS = (
    "tenant",
    "source",
    "integration",
    "pipeline",
    "stage",
    "outcome",
    "reason",
    "router",
    "version",
    "tags",
)
QUEUE_TAGS = ("queue", "pipeline", "integration", "tenant", "router", "tags")
DEFAULTS = {"tenant": "default", "stage": "delivered", "outcome": "ok"}
"""Of `messages`; a queue without a tenant serves all of them."""


class SeriesKind(IntEnum):
    """Which table a line goes to."""

    REFUSED = 0
    """The key cannot be read."""
    MESSAGES = 1
    QUEUE = 2
    POINTS = 3


@dataclass(frozen=True, slots=True)
class SeriesMeaning:
    """A series as the tables show it."""

    kind: SeriesKind
    words: tuple[str, ...]
    """Values of MESSAGES_TAGS or QUEUE_TAGS, as `kind` says; none for points."""
    measurement: str
    tags: str
    """All of them, canonical."""
    tenant: str


REFUSED = SeriesMeaning(SeriesKind.REFUSED, (), "", "", "")


def understand(text: str) -> SeriesMeaning:
    """What a series key means; REFUSED where it is none."""
    try:
        key = read_key(text)
    except KeyFault:
        return REFUSED
    tags = canonical(key.tags, is_plain=key.is_plain)
    if key.measurement == "messages":
        words = _messages(key)
        return SeriesMeaning(SeriesKind.MESSAGES, words, key.measurement, tags, words[0])
    if key.measurement == "queue":
        words = _queue(key)
        return SeriesMeaning(SeriesKind.QUEUE, words, key.measurement, tags, words[3])
    return SeriesMeaning(
        SeriesKind.POINTS, (), key.measurement, tags, dict(key.tags).get("tenant", "default")
    )


def _messages(key: Key) -> tuple[str, ...]:
    rest = dict(key.tags)
    flow = [rest.pop(name, DEFAULTS.get(name, "")) for name in MESSAGES_TAGS[:7]]
    router, version = _pop_first(rest, ROUTER_TAGS), _pop_first(rest, VERSION_TAGS)
    return (*flow, router, version, _rest(key, rest))


def _queue(key: Key) -> tuple[str, ...]:
    rest = dict(key.tags)
    words = [rest.pop(name, "") for name in QUEUE_TAGS[:4]]
    router = _pop_first(rest, ROUTER_TAGS)
    return (*words, router, _rest(key, rest))


def _rest(key: Key, rest: dict[str, str]) -> str:
    return canonical(list(rest.items()), is_plain=key.is_plain) if rest else ""


def _pop_first(rest: dict[str, str], names: tuple[str, ...]) -> str:
    for name in names:
        if name in rest:
            return rest.pop(name)
    return ""
