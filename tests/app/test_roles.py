"""Which processes may share the work, and on what."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app.configuration import load
from streamgauge.app.roles import Roles, check_roles, parse_roles, shared_of
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError
from streamgauge.state.state import State

SERVER = "clickhouse://u:secret@h/db?cluster=c"
POSTGRES = "postgresql+psycopg://u:secret@h/db"

KNOWN = {
    "none given: all": (None, Roles()),
    "all, in any order": ("web,page,detect,receive", Roles()),
    "receiving alone": ("receive", Roles(frozenset({"receive"}))),
    "all but receiving": ("detect,page,web", Roles(frozenset({"detect", "page", "web"}))),
}
REFUSED = {
    "a name nobody knows": ("recieve", "recieve is not known; accepted: receive, detect, page"),
    "detecting without showing": ("detect,page", "detect, page and web stay together"),
    "showing alone": ("web", "detect, page and web stay together"),
    "receiving and showing": ("receive,web", "detect, page and web stay together"),
    "nothing": ("", "accepted: receive,detect,page,web or receive or detect,page,web"),
}
UNFIT = {
    "the embedded engine is one process's": (None, POSTGRES, "embedded engine belongs to one"),
    "an address of it too": ("chdb:///x", POSTGRES, "embedded engine belongs to one"),
    "a file is no shared state": (SERVER, None, "need one database for their state"),
    "nor if it is named": (SERVER, "sqlite:////x", "need one database for their state"),
}


@pytest.mark.parametrize(("text", "roles"), KNOWN.values(), ids=KNOWN.keys())
def test_roles_are_understood(text: str | None, roles: Roles) -> None:
    assert parse_roles(text) == roles


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_roles_that_cannot_be_had_are_refused(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_roles(text)
    assert why in str(refused.value)


@pytest.mark.parametrize("roles", ["receive", "detect,page,web"])
@pytest.mark.parametrize(("store", "state", "why"), UNFIT.values(), ids=UNFIT.keys())
def test_sharing_the_work_needs_shared_places(
    roles: str, store: str | None, state: str | None, why: str
) -> None:
    settings = load(None, {"store": {"url": store}, "state": {"url": state}})
    with pytest.raises(ConfigError) as refused:
        check_roles(parse_roles(roles), settings)
    assert why in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("roles", ["receive", "detect,page,web", None])
def test_a_server_and_postgresql_can_be_shared(roles: str | None) -> None:
    settings = load(None, {"store": {"url": SERVER}, "state": {"url": POSTGRES}})
    check_roles(parse_roles(roles), settings)


def test_one_process_needs_neither() -> None:
    check_roles(Roles(), load(None, {}))


def test_a_process_keeps_its_name_over_restarts(tmp_path: Path) -> None:
    clock = SimulatedClock()
    names = []
    for folder in ("a", "a", "b"):
        settings = load(
            None, {"store": {"url": SERVER}, "server": {"data": str(tmp_path / folder)}}
        )
        shared = shared_of(settings, State(f"sqlite:///{tmp_path}/state", clock), clock)
        assert shared is not None
        names.append(shared.owner)
    assert names[0] == names[1] != names[2]
