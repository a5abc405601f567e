"""A consistent copy of the store while it runs, and a store made from one.

At one instant nothing waits for hours and days and nothing is being inserted: then the tables are
cloned, and the journal's files (with the bodies that wait, and the keys by which retries are known)
and what was set aside are linked. So each acknowledged row is in exactly one of them, and counts
once after a restore.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine
from streamgauge.store.engine.place import Place
from streamgauge.store.engine.scratch import Scratch
from streamgauge.store.journal.files import disk_errors
from streamgauge.store.journal.journal import Journal
from streamgauge.store.lock import FolderLock
from streamgauge.store.migrate import applied, known_migrations
from streamgauge.store.moves.enginecopy import copy_in, copy_out
from streamgauge.store.moves.snapshot import Copy, TableRecord, drop_snapshot, take_snapshot
from streamgauge.store.settings import StoreSettings
from streamgauge.store.writer.setaside import ASIDE, SetAside
from streamgauge.store.writer.writer import Writer

_ONLY_APPENDED = {".journal", ".sorted"}
"""Files whose first bytes never change: a link and a size are a copy. The others are small."""
_TRIES = 10


def freeze(engine: Engine, writer: Writer, journal: Journal, aside: SetAside, folder: Path) -> Copy:
    """Clone the tables and link the journal and what was set aside into `folder`, at one instant.

    Raises:
        StoreError: the engine or the disk refused, or inserting stands still.
    """
    if writer.problem:
        text = f"a backup needs an engine that works: {writer.problem}"
        raise StoreError(text, permanent=False)
    with writer.while_settled():
        told = take_snapshot(engine)
        with journal.appended, disk_errors(folder):
            journal.keys.sync()
            _link_all(journal.files.folder, folder)
            _link_tree(aside.folder, folder / ASIDE)
    return Copy(sorted(applied(engine)), told)


def _link_all(source: Path, target: Path) -> None:
    for _ in range(_TRIES):
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        try:
            for path in sorted(source.iterdir()):
                if path.suffix not in {".new", ".damaged"}:
                    _link(path, target / path.name)
        except FileNotFoundError:
            continue  # keys are sorted and merged in the background: files come and go
        return
    raise FileNotFoundError(source)


def _link(path: Path, target: Path) -> None:
    if path.suffix == ".journal":  # grows: what comes later is cut off when it is copied
        os.link(path, target)
        target.with_name(f"{path.name}.size").write_text(str(path.stat().st_size))
    elif path.suffix in _ONLY_APPENDED:
        os.link(path, target)
    else:
        shutil.copyfile(path, target)


def _link_tree(source: Path, target: Path) -> None:
    """Files that never change; nothing, where the folder is not there."""
    for path in sorted(source.rglob("*")):
        if path.is_file():
            linked = target / path.relative_to(source)
            linked.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, linked)


def copy_frozen(engine: Engine, place: Place, stop: threading.Event) -> None:
    """Write the cloned tables to a place, and let go of the clones.

    Raises:
        StoreError: the engine refused, or `stop` was set.
    """
    try:
        copy_out(engine, place, stop)
    finally:
        drop_snapshot(engine)


def refuse_newer(numbers: list[int]) -> None:
    """Raise a StoreError if a store with these migrations is newer than this version."""
    newer = set(numbers) - {migration.number for migration in known_migrations()}
    if newer:
        text = (
            f"it was written by a newer streamgauge (migration {max(newer)}): install that "
            "version, and restore with it"
        )
        raise StoreError(text, permanent=True)


def restore_engine(
    url: str,
    data_dir: Path,
    settings: StoreSettings,
    place: Place,
    expected: Mapping[str, TableRecord],
) -> None:
    """Make an engine's tables from a place, and prove that they are what was backed up.

    Raises:
        ConfigError: another process uses the folder.
        StoreError: the engine refused, or the copy is damaged.
    """
    lock, scratch, engine = FolderLock(data_dir), Scratch(data_dir), Engine(url, settings)
    lock.acquire(is_restoring=True)
    try:
        scratch.take()
        engine.open()
        copy_in(engine, place, expected, threading.Event())
    finally:
        engine.close()
        scratch.give_back()
        lock.release()
