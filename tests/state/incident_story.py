"""Drives a state database as the program does: detection's turns and people's acts."""

from __future__ import annotations

import itertools
from collections.abc import Sequence, Set

from streamgauge.alert.incidents import step
from streamgauge.model.change import Change, Route, Routing
from streamgauge.model.finding import Finding
from streamgauge.state.state import State

_ids = itertools.count(1)


def to(*notifiers: str) -> Routing:
    """A routing that tells `notifiers` of everything."""

    def routing(change: Change, told: Set[str]) -> Sequence[Route]:
        assert change.notify is not None
        return [Route(name, change.notify, is_sent=True, reason="all") for name in notifiers]

    return routing


def decide(state: State, now: float, findings: Sequence[Finding]) -> list[Change]:
    """What changes by `findings`; nothing is written."""
    return step(
        state.open_incidents(),
        findings,
        now,
        lambda: f"incident-{next(_ids)}",
        state.recently_closed(now - 600),
    )


def turn(
    state: State, now: float, findings: Sequence[Finding], notifiers: Sequence[str] = ("pager",)
) -> list[Change]:
    """One step of detection, written."""
    return state.apply(decide(state, now, findings), to(*notifiers))
