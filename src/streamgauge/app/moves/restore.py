"""`streamgauge restore`: an empty data folder becomes what was backed up, or stays marked.

Until all of it is there and proven, a file `RESTORING` stands in the folder: nothing starts on it
then but another restore, which begins anew.
"""

from __future__ import annotations

import hashlib
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import make_url

from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.app.moves.backup import STATE, Tell
from streamgauge.app.moves.depot import ENGINE, Depot, Written
from streamgauge.app.moves.manifest import NAME, Manifest, read_manifest
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.dump import load_state, refuse_filled, refuse_newer_state
from streamgauge.store.engine.address import is_embedded
from streamgauge.store.lock import RESTORING
from streamgauge.store.moves.backup import refuse_newer, restore_engine


def restore(configuration: Configuration, depot: Depot, tell: Tell) -> Manifest:
    """Make a data folder from a backup.

    Raises:
        ConfigError: the folder is not empty, or the backup is of a newer version.
        StoreError: the backup is not whole or damaged, or something refused.
    """
    manifest = _whole_manifest(depot)
    folder, url = wiring.data_folder(configuration), wiring.store_url(configuration)
    if not is_embedded(url):
        raise ConfigError(
            f"[store] url names a server: restore there with ClickHouse's own statement, "
            f"RESTORE DATABASE default AS … FROM …, from {depot.place.url} (docs/moving.md)"
        )
    state_url = wiring.state_url(configuration)
    _prepare(folder, state_url)
    tell("reading the journal")
    for name, written in manifest.files.items():
        if name != STATE:
            _fetch(depot, name, written, folder / name)
    tell("reading the tables, and verifying every block")
    settings = wiring.store_settings(configuration)
    restore_engine(url, folder, settings, depot.place, manifest.tables)
    tell("reading the state")
    counts = load_state(state_url, manifest.revision, _lines(depot, manifest.files[STATE]))
    told = {name: count for name, count in manifest.state.items() if count}
    if dict(counts) != told:
        raise StoreError(f"the state is not what was backed up: {counts}", permanent=True)
    (folder / RESTORING).unlink()
    return manifest


def _whole_manifest(depot: Depot) -> Manifest:
    sizes = depot.sizes()
    if NAME not in sizes:
        why = f"no whole backup: {NAME} is missing" if sizes else "nothing"
        text = f"{depot.address} holds {why}; name the place a backup was written to"
        raise StoreError(text, permanent=True)
    manifest = read_manifest(b"".join(depot.read(NAME)), depot.address)
    refuse_newer(manifest.migrations)
    refuse_newer_state(manifest.revision)
    for name, written in manifest.files.items():
        if sizes.get(name) != written.size:
            text = f"{depot.address}/{name} is missing or cut off: use another backup"
            raise StoreError(text, permanent=True)
    engine = [size for name, size in sizes.items() if name.startswith(f"{ENGINE}/")]
    if (len(engine), sum(engine)) != (manifest.engine_files, manifest.engine_bytes):
        text = (
            f"{depot.address}/{ENGINE} is not whole ({len(engine)} of {manifest.engine_files} "
            "files): use another backup"
        )
        raise StoreError(text, permanent=True)
    return manifest


def _prepare(folder: Path, state_url: str) -> None:
    refuse_filled(state_url)
    if folder.exists() and any(folder.iterdir()):
        if not (folder / RESTORING).exists():
            raise ConfigError(
                f"{folder} is not empty: name another folder (--data), or move it away first"
            )
        for path in folder.iterdir():
            if path.name != RESTORING:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    database = make_url(state_url)
    if database.get_backend_name() == "sqlite" and not (folder / RESTORING).exists():
        path = Path(database.database or "")
        if path.exists():
            raise ConfigError(f"{path} is there already: move it away, or name another")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RESTORING).write_text("a restore has begun here, and has not ended\n")


def _fetch(depot: Depot, name: str, written: Written, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as stream:
        for block in _verified(depot, name, written):
            stream.write(block)


def _verified(depot: Depot, name: str, written: Written) -> Iterator[bytes]:
    digest = hashlib.sha256()
    for block in depot.read(name):
        digest.update(block)
        yield block
    if digest.hexdigest() != written.sha256:
        text = f"{depot.address}/{name} is damaged (its checksum differs): use another backup"
        raise StoreError(text, permanent=True)


def _lines(depot: Depot, written: Written) -> Iterator[bytes]:
    rest, unzip = b"", zlib.decompressobj(wbits=31)
    for block in _verified(depot, STATE, written):
        *whole, rest = (rest + unzip.decompress(block)).split(b"\n")
        yield from whole
