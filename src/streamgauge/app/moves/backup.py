"""`streamgauge backup`: store, journal, state and known series to one place, the manifest last.

Written by the process that has the data folder: a running `up` is asked (`control`), else the
command opens the folder itself.
"""

from __future__ import annotations

import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from streamgauge import __version__
from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.app.moves.depot import BLOCK_BYTES, ENGINE, Depot
from streamgauge.app.moves.manifest import NAME, Manifest
from streamgauge.model.clock import SystemClock, rfc3339
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.dump import StateDump
from streamgauge.store import Store
from streamgauge.store.writer.setaside import ASIDE

UNFINISHED = "UNFINISHED"
STATE = "state.jsonl.gz"
KEPT = ("series.npy", "refused.json", "governor.json")
"""Files of the data folder that are taken along where they are there."""
FLUSH_S = 120.0
Tell = Callable[[str], None]


def write_backup(
    store: Store,
    configuration: Configuration,
    depot: Depot,
    tell: Tell,
    stop: threading.Event,
) -> Manifest:
    """Back up an open store and its state.

    1. The place must be empty, or hold a backup that was interrupted, which is removed.
    2. All that is acknowledged is flushed; at one instant tables are cloned, and the journal and
       what was set aside are linked.
    3. Both, the state and the known series are written; then the manifest.

    Raises:
        StoreError: something refused; there is no manifest then.
    """
    began_at = time.time()
    _clear(depot)
    depot.write(UNFINISHED, [b"a backup that is being written, or was interrupted\n"])
    folder = wiring.data_folder(configuration)
    staging = folder / "backup-staging"
    try:
        if not store.flush(FLUSH_S):
            why = "; ".join(store.problems()) or "it takes too long"
            text = f"what was acknowledged is not in the engine yet: {why}"
            raise StoreError(text, permanent=False)
        copy = store.freeze(staging)
        tell("copying the tables")
        store.copy_frozen(depot.place, stop)
        tell("copying the journal and the state")
        files = {n: depot.write(n, b) for n, b in _frozen(staging)}
        files |= {n: depot.write(n, _blocks(folder / n)) for n in KEPT if (folder / n).exists()}
        dump = StateDump(wiring.state_url(configuration))
        files[STATE] = depot.write(STATE, _zipped(dump.lines()))
        sizes = depot.sizes(ENGINE)
        manifest = Manifest(
            __version__, rfc3339(began_at), rfc3339(time.time()), copy.migrations, copy.tables,
            len(sizes), sum(sizes.values()), dump.revision, dict(dump.counts), files,
        )  # fmt: skip
        depot.write(NAME, [manifest.text()])
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return manifest


def _clear(depot: Depot) -> None:
    there = depot.sizes()
    if NAME in there:
        raise ConfigError(f"{depot.address} holds a backup already: name another place")
    if there and UNFINISHED not in there:
        raise ConfigError(f"{depot.address} is not empty: name an empty or new place")
    depot.remove()


def _frozen(staging: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Files by their names in the data folder: of the journal, then what was set aside."""
    for path in sorted(staging.iterdir()):
        if path.is_file() and path.suffix != ".size":
            size = staging / f"{path.name}.size"
            until = int(size.read_text()) if size.exists() else None
            yield f"journal/{path.name}", _blocks(path, until)
    for path in sorted((staging / ASIDE).rglob("*")):
        if path.is_file():
            yield str(path.relative_to(staging)), _blocks(path)


def _blocks(path: Path, size: int | None = None) -> Iterator[bytes]:
    left = path.stat().st_size if size is None else size
    with path.open("rb") as stream:
        while left and (block := stream.read(min(BLOCK_BYTES, left))):
            left -= len(block)
            yield block


def _zipped(lines: Iterator[bytes]) -> Iterator[bytes]:
    zipping = zlib.compressobj(wbits=31)
    for line in lines:
        if block := zipping.compress(line):
            yield block
    yield zipping.flush()


def summary(manifest: Manifest) -> list[str]:
    """What a backup holds, for people."""
    rows = sum(table.rows for table in manifest.tables.values())
    other = sum(written.size for written in manifest.files.values())
    incidents = manifest.state.get("incident", 0)
    return [
        f"{rows:,} rows in {len(manifest.tables)} tables, {manifest.engine_bytes:,} bytes",
        f"journal, state and known series: {len(manifest.files)} files, {other:,} bytes; "
        f"{incidents:,} incidents",
        f"everything acknowledged before {manifest.began_at} is in it",
    ]


def back_up_offline(configuration: Configuration, depot: Depot, tell: Tell) -> Manifest:
    """Open the data folder and back it up.

    Raises:
        ConfigError: there is nothing, or another process has it.
        StoreError: something refused.
    """
    folder = wiring.data_folder(configuration)
    if not (folder / "journal").is_dir():
        raise ConfigError(f"{folder} holds no store: name its data folder (--data)")
    tell("opening the store")
    store = Store(
        wiring.store_url(configuration),
        folder,
        SystemClock(),
        wiring.store_settings(configuration),
    )
    store.open()
    try:
        return write_backup(store, configuration, depot, tell, threading.Event())
    finally:
        store.close()
