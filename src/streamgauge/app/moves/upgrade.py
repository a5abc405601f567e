"""`streamgauge migrate`: brings engine and state to this version's schema, or says how.

`up` does the same when it starts; this is for doing it apart, and for looking first.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.app.moves.backup import Tell
from streamgauge.model.clock import SystemClock
from streamgauge.model.errors import ConfigError
from streamgauge.state.dump import pending_revisions
from streamgauge.state.state import State
from streamgauge.store.engine.address import embedded_path, is_embedded
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.insertlog import forget_unfinished
from streamgauge.store.lock import FolderLock
from streamgauge.store.migrate import Migration, migrate, pending
from streamgauge.store.writer.finishing import finish_in


def upgrade(configuration: Configuration, is_check: bool, tell: Tell) -> int:
    """Do, or with `is_check` only say, what is to be done; how many migrations that is.

    Raises:
        ConfigError: there is nothing, another process has it, or it is of a newer version.
        StoreError: the engine or a database refused; running it again goes on.
    """
    folder, url = wiring.data_folder(configuration), wiring.store_url(configuration)
    if is_embedded(url) and not (folder / "journal").is_dir():
        raise ConfigError(f"{folder} holds no store: name its data folder (--data)")
    settings = wiring.store_settings(configuration)
    lock, engine = FolderLock(folder), Engine(url, settings)
    lock.acquire()
    try:
        if is_embedded(url):
            forget_unfinished(Path(embedded_path(url)))
        engine.open()
        if not is_check:
            finish_in(folder, engine, settings, SystemClock().now())
        return _engine(engine, is_check, tell) + _state(configuration, is_check, tell)
    finally:
        engine.close()
        lock.release()


def _engine(engine: Engine, is_check: bool, tell: Tell) -> int:
    def say(migration: Migration) -> None:
        verb = "would run" if is_check else "running"
        count = len(migration.statements)
        tell(f"store: {verb} {migration.name} ({count} statements)")

    todo = pending(engine)
    if is_check:
        for migration in todo:
            say(migration)
    else:
        migrate(engine, say)
    return len(todo)


def _state(configuration: Configuration, is_check: bool, tell: Tell) -> int:
    url = wiring.state_url(configuration)
    database = make_url(url)
    if database.get_backend_name() == "sqlite" and not Path(database.database or "").exists():
        tell("state: there is no database yet; `up` makes it")
        return 0
    _, todo = pending_revisions(url)
    for one in todo:
        tell(f"state: {'would run' if is_check else 'running'} {one}")
    if todo and not is_check:
        state = State(url, SystemClock())
        state.open()
        state.close()
    return len(todo)
