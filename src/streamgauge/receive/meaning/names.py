"""The names that are understood as they are, what each stands for, and units.

A name is looked up without its unit and its `_total`, with `_` for `.`: what an instrument of
OpenTelemetry is called, and what Prometheus makes of it, are one.

Sources: DESIGN's instruments; OpenTelemetry's messaging metrics, semantic conventions 1.22 to 1.37
(https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/, the former names in the
change log of that repository); Prometheus' names and units
(https://prometheus.io/docs/practices/naming/, and the compatibility page of OpenTelemetry's
specification for how one becomes the other).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache


class Target(IntEnum):
    """What the numbers of a series are."""

    POINT = 0
    """Nothing of ours: kept as it came."""
    DROPPED = 1
    """A rule says that nobody wants it; or another series of its family says it all."""
    COUNT = 2
    """Messages."""
    BYTES = 3
    """Bytes of messages."""
    LATENCY = 4
    """Seconds from a message's first stamp, as a histogram."""
    QUEUE_TIME = 5
    """Seconds a message waited, as a histogram."""
    BACKLOG = 6
    OLDEST_AGE = 7
    IN_TOTAL = 8
    OUT_TOTAL = 9
    CONSUMERS = 10
    IN_FLIGHT = 11


QUEUE_COLUMNS = {
    Target.BACKLOG: "backlog",
    Target.OLDEST_AGE: "oldest_age_s",
    Target.IN_TOTAL: "in_total",
    Target.OUT_TOTAL: "out_total",
    Target.CONSUMERS: "consumers",
    Target.IN_FLIGHT: "in_flight",
}
"""Columns of `queue`."""
RISING = (Target.COUNT, Target.BYTES)
"""What only ever grows, and counts by how much it grew."""
HISTOGRAMS = (Target.LATENCY, Target.QUEUE_TIME)
DURATIONS = (*HISTOGRAMS, Target.OLDEST_AGE)
"""What is told in units of time."""

OURS: dict[str, Target] = {
    "messages": Target.COUNT,
    "message.bytes": Target.BYTES,
    "message.latency": Target.LATENCY,
    "message.queue_time": Target.QUEUE_TIME,
    "queue.backlog": Target.BACKLOG,
    "queue.oldest_age": Target.OLDEST_AGE,
    "queue.in": Target.IN_TOTAL,
    "queue.out": Target.OUT_TOTAL,
    "queue.consumers": Target.CONSUMERS,
    "queue.in_flight": Target.IN_FLIGHT,
}
"""Our own instruments; also what a `[[map]]` may make of another."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a name stands for."""

    target: Target
    stage: str = ""
    """Where its labels name none."""
    counted_as: str = "messages"
    """A histogram adds to the messages where its sender counts nothing under this word."""
    is_convention: bool = False
    """OpenTelemetry's: its attributes mean what the conventions say."""


def _convention(target: Target, stage: str) -> Known:
    return Known(target, stage, stage, is_convention=True)


_CONVENTIONS = {
    "messaging.client.sent.messages": _convention(Target.COUNT, "queued"),
    "messaging.client.published.messages": _convention(Target.COUNT, "queued"),
    "messaging.publish.messages": _convention(Target.COUNT, "queued"),
    "messaging.client.consumed.messages": _convention(Target.COUNT, "received"),
    "messaging.receive.messages": _convention(Target.COUNT, "received"),
    "messaging.process.messages": _convention(Target.COUNT, "processed"),
    "messaging.deliver.messages": _convention(Target.COUNT, "processed"),
    "messaging.publish.duration": _convention(Target.LATENCY, "queued"),
    "messaging.receive.duration": _convention(Target.LATENCY, "received"),
    "messaging.process.duration": _convention(Target.LATENCY, "processed"),
    "messaging.deliver.duration": _convention(Target.LATENCY, "processed"),
    "messaging.client.operation.duration": _convention(Target.LATENCY, ""),
}
"""A producer's messages are queued, a consumer's are received, then processed. The last one's stage
is told by its operation: see `OPERATIONS`."""

OPERATIONS = {
    "send": "queued",
    "publish": "queued",
    "receive": "received",
    "poll": "received",
    "process": "processed",
    "deliver": "processed",
}
"""Values of `messaging.operation.type` and of its former name; the others move no message."""
OPERATION_LABELS = ("messaging.operation.type", "messaging.operation", "messaging.operation.name")

CONVENTION_TAGS = {"messaging.destination.name": "pipeline"}
"""Attributes of the conventions that are tags of ours, where these are not given."""
ERROR_LABEL = "error.type"
ROUTER_LABELS = ("router", "host", "instance", "service.instance.id")
"""The first of them that is given names the sender's router."""
ROUTER_FALLBACKS = ("host.name", "service.name", "job")
VERSION_LABELS = ("version", "service.version")

_LOOKS = re.compile(
    r"(?:^|[._-])(?:messages?|msgs?|events?|records?|publish\w*|deliver\w*|consum\w*|enqueue\w*|"
    r"dequeue\w*|ack(?:ed|s)?|nack\w*|failed|dropped|dead_?letter\w*|dlq|queues?|backlog|lag|depth|"
    r"pending|unacked|ready)(?:$|[._-])",
    re.IGNORECASE,
)

_NAMES_KEPT = 10_000

_SECONDS = {
    "d": 86_400.0,
    "h": 3600.0,
    "min": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_BYTES = {"By": 1.0, "kBy": 1e3, "MBy": 1e6, "GBy": 1e9, "KiBy": 1024.0, "MiBy": 1024.0**2}
_BYTES["bit"] = 1 / 8
_SUFFIXES = {
    "_seconds": "s",
    "_milliseconds": "ms",
    "_microseconds": "us",
    "_nanoseconds": "ns",
    "_minutes": "min",
    "_hours": "h",
    "_days": "d",
    "_s": "s",
    "_ms": "ms",
    "_us": "us",
    "_ns": "ns",
    "_kilobytes": "kBy",
    "_kibibytes": "KiBy",
}
FAMILY_SUFFIXES = ("_bucket", "_count", "_sum", "_created")
"""Series of one classic histogram."""


@lru_cache(_NAMES_KEPT)
def underscored(name: str) -> str:
    """As Prometheus writes it."""
    return name.replace(".", "_")


_KNOWN = {underscored(name): Known(target) for name, target in OURS.items()}
_KNOWN |= {underscored(name): known for name, known in _CONVENTIONS.items()}


@lru_cache(_NAMES_KEPT)
def find_known(name: str) -> tuple[Known, str] | None:
    """What a name stands for, and the unit that it tells; None: nothing of ours."""
    plain = underscored(name).removesuffix("_total")
    if plain in _KNOWN:
        return _KNOWN[plain], ""
    for suffix, unit in _SUFFIXES.items():
        if plain.endswith(suffix) and plain.removesuffix(suffix) in _KNOWN:
            return _KNOWN[plain.removesuffix(suffix)], unit
    return None


def family_name(name: str) -> str:
    """Of a classic histogram's series the histogram's name."""
    return next((name.removesuffix(one) for one in FAMILY_SUFFIXES if name.endswith(one)), name)


@lru_cache(_NAMES_KEPT)
def looks_like_ours(name: str) -> bool:
    """Whether the words of a name are those of messages or queues, and not streamgauge's own."""
    return not name.startswith("streamgauge_") and bool(_LOOKS.search(name))


def factor_of(target: Target, unit: str) -> float:
    """What a number is to be multiplied with to be in seconds or bytes; 1 for other units."""
    units = _SECONDS if target in DURATIONS else _BYTES if target is Target.BYTES else {}
    return units.get(unit, 1.0)


def unit_of_name(name: str) -> str:
    """The unit that a name ends with, as UCUM writes it; empty: none."""
    plain = underscored(name).removesuffix("_total")
    return next((unit for suffix, unit in _SUFFIXES.items() if plain.endswith(suffix)), "")
