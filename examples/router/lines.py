"""Line protocol: the words and units that streamgauge understands.

Source: InfluxDB 1.8 line protocol reference, "Special characters".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from examples.router.ledger import NO_BUCKET, Key, Sums
from examples.router.queues import Depth

PIPELINE = "events"
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


@dataclass(frozen=True, slots=True)
class Identity:
    """Which router a line comes from."""

    router: str
    version: str


def tags(**values: str) -> str:
    """`,key=value` for every value that is not empty, escaped."""
    return "".join(f",{key}={value.translate(_ESCAPES)}" for key, value in values.items() if value)


def message_lines(sums: Mapping[Key, Sums], identity: Identity, at_ns: int) -> Iterator[str]:
    """A line per sum, each with a time stamp of its own: `at_ns`, `at_ns` + 1, …"""
    for offset, (key, total) in enumerate(sums.items()):
        labels = tags(
            tenant=key.tenant,
            source=key.source,
            integration=key.integration,
            pipeline=PIPELINE,
            stage=key.stage,
            outcome=key.outcome,
            reason=key.reason,
            router=identity.router,
            version=identity.version,
        )
        yield f"messages{labels} {_fields(key, total)} {at_ns + offset}"


def _fields(key: Key, total: Sums) -> str:
    fields = f"count={total.count}i,bytes={total.size_bytes}i"
    if key.latency_bucket != NO_BUCKET:
        fields += f",latency_ms={total.latency_s / total.count * 1000:.3f}"
    if key.wait_bucket != NO_BUCKET:
        fields += f",queue_ms={total.wait_s / total.count * 1000:.3f}"
    return fields


def queue_lines(depths: Mapping[str, Depth], identity: Identity, at_ns: int) -> Iterator[str]:
    """A line per queue, each with a time stamp of its own."""
    for offset, (name, depth) in enumerate(depths.items()):
        labels = tags(
            queue=name,
            pipeline=PIPELINE,
            integration=name,
            router=identity.router,
            version=identity.version,
        )
        yield (
            f"queue{labels} backlog={depth.backlog}i,oldest_age_s={depth.oldest_age_s:.3f},"
            f"in_total={depth.in_total}i,out_total={depth.out_total}i,"
            f"consumers={depth.consumers}i,in_flight={depth.in_flight}i {at_ns + offset}"
        )
