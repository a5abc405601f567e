"""How a gatherer is doing, as JSON that one process writes for the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from streamgauge.model.gatherer import (
    AgeMethod,
    Fault,
    GathererHealth,
    GathererState,
    QueueReading,
)

MAX_QUEUES = 1000
"""Told of one gatherer: it is written every few seconds."""


def told_of(health: GathererHealth) -> dict[str, Any]:
    """JSON; of more queues than are told the first ones are, those with a problem before others."""
    queues = sorted(health.queues, key=lambda queue: not queue.problem)[:MAX_QUEUES]
    return asdict(replace(health, queues=tuple(queues)))


def health_of(told: Mapping[str, Any]) -> GathererHealth | None:
    """The same again; None where a process of another version tells what is not known here."""
    try:
        fault = told["fault"]
        return GathererHealth(
            **{
                **told,
                "state": GathererState(told["state"]),
                "fault": None if fault is None else Fault(fault),
                "queues": tuple(map(_reading_of, told["queues"])),
            }
        )
    except (KeyError, TypeError, ValueError):
        return None


def _reading_of(told: Mapping[str, Any]) -> QueueReading:
    return QueueReading(**{**told, "oldest_age_method": AgeMethod(told["oldest_age_method"])})
