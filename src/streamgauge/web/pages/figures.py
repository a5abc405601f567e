"""The key metrics as tiles: what stands in each, in words where it is not known."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.model.views import Lag, Overview, Percentiles
from streamgauge.web import format as formats
from streamgauge.web.format import Quantity

PROMPT_S = 2.0
"""A lag not worth a word: pages are asked for every five seconds."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One key metric: either one value, or a few side by side."""

    title: str
    values: tuple[tuple[str, Quantity], ...]
    """(label, value); the label is empty where there is one value."""
    note: str
    """What the number is made of, or why there is none."""
    is_wide: bool = False
    """Has room for three values; keeps it while they are not known."""


def knows_queues(now: Overview) -> bool:
    """Whether queues were reported; those of one customer seldom are, and then say nothing."""
    return now.queue.backlog is not None or now.queue.oldest_age_s is not None


def tiles_of(now: Overview, now_s: float, *, with_queues: bool = True) -> list[Tile]:
    """The tiles in reading order: throughput, quality, time, waiting, headroom.

    Args:
        now: the key metrics of the window that the tiles are about.
        now_s: epoch seconds.
        with_queues: also backlog, age and headroom.
    """
    of_queues = [_backlog(now), _oldest_age(now), _capacity(now, now_s)] if with_queues else []
    return [
        _throughput(now),
        _success(now),
        _errors(now),
        _percentiles("Latency, end to end", now.latency, "no latency reported"),
        _percentiles("Time in queue", now.queue.wait, "no time in queue reported"),
        *of_queues,
    ]


def _throughput(now: Overview) -> Tile:
    note = f"{formats.count(now.messages)} ended" if now.messages else "none ended"
    if now.received is not None:
        note = f"{formats.count(now.received)} in, {note}"
    return Tile("Messages", (("", formats.rate(now.messages_per_second)),), note)


def _success(now: Overview) -> Tile:
    note = f"{formats.count(now.filtered)} filtered" if now.filtered else "nothing filtered"
    if now.success_ratio is None:
        note = "no message ended"
    return Tile("Success", (("", formats.share(now.success_ratio)),), note)


def _errors(now: Overview) -> Tile:
    note = "no message ended"
    if now.error_ratio is not None:
        note = f"{formats.count(now.errors)} failed or lost"
    return Tile("Errors", (("", formats.share(now.error_ratio)),), note)


def _percentiles(title: str, values: Percentiles, missing: str) -> Tile:
    if values.p50_s is None:
        return Tile(title, (("", formats.NOTHING_KNOWN),), missing, is_wide=True)
    return Tile(
        title,
        (
            ("p50", formats.duration(values.p50_s)),
            ("p90", formats.duration(values.p90_s)),
            ("p99", formats.duration(values.p99_s)),
        ),
        "half, 90 % and 99 % are faster",
        is_wide=True,
    )


def _backlog(now: Overview) -> Tile:
    queue = now.queue
    note = "no queue reported"
    if queue.backlog == 0:
        note = "queues are empty"
    elif queue.backlog is not None:
        note = (
            f"empty in {formats.duration(queue.drain_eta_s)}"
            if queue.drain_eta_s is not None
            else "waiting in queues"
        )
    return Tile("Backlog", (("", formats.count(queue.backlog)),), note)


def _oldest_age(now: Overview) -> Tile:
    is_known = now.queue.oldest_age_s is not None
    note = "in any queue" if is_known else "no queue reported"
    return Tile("Oldest waiting", (("", formats.duration(now.queue.oldest_age_s)),), note)


def _capacity(now: Overview, now_s: float) -> Tile:
    capacity = now.capacity
    if capacity.messages_per_second is None:
        return Tile("Headroom", (("", formats.NOTHING_KNOWN),), "until a backlog is seen")
    used = capacity.utilization_ratio
    headroom = None if used is None else max(0.0, 1 - used)
    note = f"of {formats.rate(capacity.messages_per_second)}"
    if capacity.reached_at is not None:
        note += f", full {formats.ago(capacity.reached_at, now_s)}"
    return Tile("Headroom", (("", formats.share(headroom)),), note)


def lag_sentence(lag: Lag) -> str:
    """How far the figures are behind what was acknowledged."""
    if lag.seconds < PROMPT_S:
        return "Figures include all that was received"
    return (
        f"Figures are {formats.duration(lag.seconds)} behind: {formats.count(lag.lines)} lines wait"
    )
