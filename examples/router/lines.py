"""Line protocol of the made-up history: as the live router reports it.

Source: InfluxDB 1.8 line protocol reference, "Special characters".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from examples.router.queues import Depth

PIPELINE = "events"
STAMP_BEFORE_END_NS = 1_000_000
"""Lines are stamped within the last millisecond of what they sum up, not in the next interval."""
_ESCAPES = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})


@dataclass(frozen=True, slots=True)
class Identity:
    """Which router a line comes from."""

    router: str
    version: str


def tags(**values: str) -> str:
    """`,key=value` for every value that is not empty, escaped."""
    return "".join(f",{key}={value.translate(_ESCAPES)}" for key, value in values.items() if value)


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
