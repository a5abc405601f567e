"""Which part of the work a process does, and what processes that share it agree on.

One process does all of it. On a ClickHouse server or cluster it can be split: any number receive,
each with a journal of its own, and one detects, pages and shows. They meet in the engine (what was
sent, and `store.changes` for detection) and in the state database (`state.sharing`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.model.clock import Clock
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.sharing import Shared
from streamgauge.state.state import State
from streamgauge.store.engine.address import is_embedded
from streamgauge.store.writer.sharing import Sharing

NAMES = ("receive", "detect", "page", "web")
_SPLITS = (frozenset(NAMES), frozenset({"receive"}), frozenset(NAMES[1:]))
DETECT_LEASE = "detect"
LEASE_S = 60.0
"""A process that stopped without a word is followed by another one after so long."""
SILENT_AFTER_S = 20.0
"""A receiver that did not report for so long may hold lines that nobody knows of."""


@dataclass(frozen=True, slots=True)
class Roles:
    """What a process does."""

    names: frozenset[str] = frozenset(NAMES)

    @property
    def receives(self) -> bool:
        """Whether it takes lines in."""
        return "receive" in self.names

    @property
    def decides(self) -> bool:
        """Whether it detects, pages and shows."""
        return "detect" in self.names

    def __str__(self) -> str:
        """As they are given."""
        return ",".join(name for name in NAMES if name in self.names)


def parse_roles(text: str | None) -> Roles:
    """`receive,detect`; None: all of them.

    Raises:
        ConfigError: a name is not known, or these cannot be had together.
    """
    names = frozenset(NAMES) if text is None else frozenset(filter(None, text.split(",")))
    if unknown := sorted(names - set(NAMES)):
        raise ConfigError(f"--roles: {unknown[0]} is not known; accepted: {', '.join(NAMES)}")
    if names not in _SPLITS:
        raise ConfigError(
            f"--roles {text!r}: detect, page and web stay together, receive can be split off; "
            f"accepted: {' or '.join(str(Roles(split)) for split in _SPLITS)}"
        )
    return Roles(names)


def check_roles(roles: Roles, configuration: Configuration) -> None:
    """Whether a process can do its part on what is configured.

    Raises:
        ConfigError: says which setting is missing.
    """
    if roles == Roles():
        return
    if is_embedded(wiring.store_url(configuration)):
        raise ConfigError(
            f"--roles {roles}: the embedded engine belongs to one process that does everything; "
            'set [store] url = "clickhouse://user:password@host/database?cluster=name"'
        )
    if not wiring.state_url(configuration).startswith("postgresql"):
        raise ConfigError(
            f"--roles {roles}: processes that share the work need one database for their state; "
            'set [state] url = "postgresql+psycopg://user:password@host/database"'
        )


def shared_of(configuration: Configuration, state: State, clock: Clock) -> Shared | None:
    """What is agreed on with others; None on the embedded engine, which has no others."""
    if is_embedded(wiring.store_url(configuration)):
        return None
    return Shared(state, clock, _own_name(wiring.data_folder(configuration)))


def sharing_of(roles: Roles, shared: Shared | None) -> Sharing | None:
    """The same, as the store has to know it."""
    return Sharing(shared, migrates=roles.decides) if shared else None


def _own_name(folder: Path) -> str:
    """The same over restarts, and gone with the journal: a claim belongs to the body in it."""
    path = folder / "name"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(secrets.token_hex(8))
        return path.read_text().strip()
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be used ({error.strerror}): "
            "give another by --data, or allow this user to write there",
            permanent=True,
        ) from error
