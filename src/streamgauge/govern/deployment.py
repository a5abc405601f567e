"""Which kind of deployment fits a load, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamgauge.govern.constants import Constants
from streamgauge.govern.sizing import BUSY_RATIO, Sizing
from streamgauge.govern.words import count_words, size_words

SMALL = {"cpus": 2.0, "memory_bytes": 8e9, "disk_bytes": 500e9}
BIG = {"cpus": 32.0, "memory_bytes": 256e9, "disk_bytes": 8e12}
REPLICAS = 2


@dataclass(frozen=True, slots=True)
class Deployment:
    """What to run."""

    kind: str
    """`one small machine`, `one big machine` or `cluster`."""
    nodes: int
    receivers: int
    cpus: float
    """In all."""
    memory_bytes: float
    disk_bytes: float
    why: str


def deployment_of(sizing: Sizing, constants: Constants) -> Deployment:
    """The smallest kind that fits; a number of nodes asks for a cluster."""
    if not sizing.workload.nodes:
        over_small = _exceeded(sizing, SMALL, constants)
        if not over_small:
            return _single(
                "one small machine",
                sizing,
                "all of it fits two processors, 8 GB and 500 GB with half to spare",
            )
        over_big = _exceeded(sizing, BIG, constants)
        if not over_big:
            return _single("one big machine", sizing, f"{over_small}; one machine still holds it")
        return _cluster(sizing, constants, over_big)
    return _cluster(sizing, constants, f"{sizing.workload.nodes} nodes were asked for")


def _exceeded(sizing: Sizing, machine: dict[str, float], constants: Constants) -> str:
    most = BUSY_RATIO * constants.lines_per_s
    if sizing.peak_load_per_s > most:
        return (
            f"{count_words(sizing.peak_load_per_s)} lines/s at the peak are more than one process "
            f"should take ({count_words(most)}/s)"
        )
    if sizing.cpus > machine["cpus"]:
        return f"{sizing.cpus:.1f} processors are needed, more than {machine['cpus']:.0f}"
    for name in ("memory_bytes", "disk_bytes"):
        needed = getattr(sizing, name)
        if needed > machine[name]:
            what = name.removesuffix("_bytes")
            return f"{size_words(needed)} of {what} are more than {size_words(machine[name])}"
    return ""


def _single(kind: str, sizing: Sizing, why: str) -> Deployment:
    return Deployment(
        kind=kind,
        nodes=1,
        receivers=1,
        cpus=max(math.ceil(sizing.cpus), 2),
        memory_bytes=max(sizing.memory_bytes, 2e9),
        disk_bytes=max(sizing.disk_bytes, 10e9),
        why=why,
    )


def _cluster(sizing: Sizing, constants: Constants, why: str) -> Deployment:
    shards = max(
        math.ceil(sizing.disk_bytes / BIG["disk_bytes"]), math.ceil(sizing.cpus / BIG["cpus"]), 1
    )
    nodes = max(sizing.workload.nodes, shards * REPLICAS)
    copies = min(nodes, REPLICAS)
    receivers = max(2, math.ceil(sizing.peak_load_per_s / (BUSY_RATIO * constants.lines_per_s)))
    return Deployment(
        kind="cluster",
        nodes=nodes,
        receivers=receivers,
        cpus=max(math.ceil(sizing.cpus * copies), 2 * nodes + 2 * receivers),
        memory_bytes=copies * sizing.memory_bytes + (nodes + receivers) * 4e9,
        disk_bytes=copies * sizing.disk_bytes,
        why=why,
    )
