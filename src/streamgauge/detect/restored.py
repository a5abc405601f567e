"""What was open before a restart: of it the key and the beginning are known."""

from __future__ import annotations

from urllib.parse import unquote

from streamgauge.detect.levels import Levels, Names
from streamgauge.detect.tree import Level
from streamgauge.detect.uncollected import SUBJECT
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected

_OURS = {
    Kind.SILENCE,
    Kind.ERRORS,
    Kind.BACKLOG,
    Kind.BLIND,
    Kind.DROP,
    Kind.SURGE,
    Kind.LATENCY,
    Kind.LOSS,
}
_OWN_ROOM = "streamgauge "
"""Begins the subjects of what the governor tells of our own room."""
_LEVELS = {
    (True, True, False, False): Level.SOURCE,
    (True, False, False, False): Level.TENANT,
    (True, False, True, False): Level.TENANT_INTEGRATION,
    (False, False, True, False): Level.INTEGRATION,
    (False, False, False, False): Level.PLATFORM,
}


def level_of(scope: Scope) -> Level | None:
    """The level of a scope, by which of its parts are named; None: it has none of its own."""
    tenant, source, integration, pipeline = (part is not None for part in scope)
    return _LEVELS.get((tenant, source, integration, pipeline))


def is_ours(key: str) -> bool:
    """What collectors cannot see, and our own room, is told by others."""
    kind, subject = key.partition("/")[0], unquote(key.rpartition("/")[2])
    if kind == Kind.CAPACITY:
        return not subject.startswith(_OWN_ROOM)
    return kind in _OURS and not (kind == Kind.BLIND and subject.startswith(SUBJECT))


def remembered(key: str, since: float) -> Finding:
    """A finding known by its key only; enough to say that it is over."""
    kind, *_ = key.split("/", 1)
    scope, subject = _scope_of(key)
    return Finding(
        Kind(kind),
        scope,
        Severity.P3,
        Suspected.UNKNOWN,
        since,
        "open before a restart",
        subject=subject,
    )


def silent_group(silence: Finding, levels: Levels) -> int | None:
    """The group that a silence told before is about; None: of several, or another kind."""
    scope, subject = silence.scope, silence.subject
    if silence.kind is not Kind.SILENCE:
        return None
    if None not in scope:
        return levels.find(Names(Level.FLOW, *scope, subject))
    level = level_of(scope)
    return None if level is None or subject else levels.find(Names(level, *scope))


def restored_group(finding_key: str, levels: Levels) -> int | None:
    """The group of a finding's key; None for what several made together, or is not known."""
    scope, subject = _scope_of(finding_key)
    level = level_of(scope)
    return None if level is None or subject else levels.find(Names(level, *scope))


def _scope_of(key: str) -> tuple[Scope, str]:
    """What a finding's key is about: its scope, and its subject or stage."""
    _, *parts = key.split("/", 5)
    scope = Scope(*(None if part == "*" else unquote(part) for part in parts[:4]))
    return scope, unquote(parts[4]) if len(parts) > 4 else ""
