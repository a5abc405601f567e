"""What a new notification makes of those still waiting for the same notifier. Pure.

People must not be told of what is over, and a receiver must not be asked to close what it never
saw; what was overtaken stays in the database, with its reason. A notification whose sending has
begun may have arrived although we were told nothing, so it counts as possibly seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamgauge.model.change import Action


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification that is neither delivered nor given up."""

    id: str
    action: Action
    attempts: int
    is_in_flight: bool
    """A worker holds it right now: it ends by that worker's word."""


@dataclass(frozen=True, slots=True)
class Overtaking:
    """What becomes of the waiting ones, and of the new one."""

    obsolete: Mapping[str, str] = field(default_factory=dict)
    """Id of each waiting one that is not to be sent any more, and why."""
    needless: str = ""
    """Not empty: why the new one need not be sent either."""


def overtake(action: Action, waiting: Sequence[Waiting], *, is_created: bool) -> Overtaking:
    """What a new notification of `action` makes of the `waiting` ones.

    Args:
        action: of the new one.
        waiting: of the same incident and notifier, oldest first.
        is_created: the newest `create` was delivered.
    """
    if action is Action.CLOSE:
        return _overtaken_by_close(waiting)
    if action is Action.CREATE:
        return _overtaken_by_create(waiting, is_created=is_created)
    return _overtaken_by_update(waiting)


def _overtaken_by_close(waiting: Sequence[Waiting]) -> Overtaking:
    idle = [one for one in waiting if one.action is not Action.CLOSE and not one.is_in_flight]
    was_never_sent = any(one.action is Action.CREATE and one.attempts == 0 for one in idle)
    return Overtaking(
        obsolete={
            one.id: "closed before it was delivered"
            if one.attempts
            else "closed before it was sent"
            for one in idle
        },
        needless="its opening was never sent" if was_never_sent else "",
    )


def _overtaken_by_create(waiting: Sequence[Waiting], *, is_created: bool) -> Overtaking:
    unsent = [one for one in waiting if one.action is Action.CLOSE and one.attempts == 0]
    return Overtaking(
        obsolete={one.id: "reopened before it was sent" for one in unsent},
        needless="its closing was never sent" if unsent and is_created else "",
    )


def _overtaken_by_update(waiting: Sequence[Waiting]) -> Overtaking:
    unsent = [one for one in waiting if one.attempts == 0]
    if any(one.action is Action.CREATE for one in unsent):
        return Overtaking(needless="the opening, not sent yet, says it")
    older = [one for one in unsent if one.action is Action.UPDATE]
    return Overtaking(obsolete={one.id: "a newer update says more" for one in older})
