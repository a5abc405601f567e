"""Finds what a finding that was open before a restart is about."""

from __future__ import annotations

from urllib.parse import unquote

from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.model.flow import Scope

_LEVELS = {
    (True, True, False): Level.SOURCE,
    (True, False, False): Level.TENANT,
    (True, False, True): Level.TENANT_INTEGRATION,
    (False, False, True): Level.INTEGRATION,
    (False, False, False): Level.PLATFORM,
}


def restored_group(finding_key: str, levels: Levels) -> int | None:
    """The group of a finding's key; None for what several made together, or is not known."""
    _, *parts = finding_key.split("/", 5)
    if len(parts) < 5 or parts[4]:
        return None
    scope = Scope(*(None if part == "*" else unquote(part) for part in parts[:4]))
    level = _LEVELS.get((scope.tenant is not None, scope.source is not None,
                         scope.integration is not None))  # fmt: skip
    return None if level is None else levels.find(Names(level, *scope))
