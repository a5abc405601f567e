"""`streamgauge set-aside`: looks at what the engine refused, and has it inserted again.

Neither needs the engine: the process that has the data folder puts back what is marked, within
seconds while it runs, else when it starts.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.store.lock import FolderLock
from streamgauge.store.writer.setaside import Given, SetAside

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.2


def show(data_dir: Path) -> list[str]:
    """A line a file: name, table or body, rows, since when, why."""
    found = _aside(data_dir).listed()
    if not found:
        return [f"nothing is set aside in {data_dir}"]
    return [_line(one) for one in found]


def _line(one: Given) -> str:
    since = datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    what = one.table_name or "a whole batch"
    return f"{one.path.name}: {what}, {one.row_count:,} rows, since {since}: {one.reason}"


def put_back(data_dir: Path) -> list[str]:
    """Mark everything to be inserted again, and say what became of it.

    Raises:
        StoreError: some of it was refused again, or it is still under way; says why.
    """
    aside = _aside(data_dir)
    names = [one.path.name for one in aside.listed()]
    for one in aside.listed():
        aside.want_again(one.path)
    if not aside.wanted():
        return [f"nothing is set aside in {data_dir}"]
    if not _is_running(data_dir):
        return [f"{len(aside.wanted())} files go in when `streamgauge up` starts on {data_dir}"]
    _wait(aside)
    if refused := [one for one in aside.listed() if one.path.name in names]:
        reasons = "; ".join(sorted({one.reason for one in refused}))
        raise StoreError(
            f"{len(refused)} of {len(names)} files were refused again and stay set aside: "
            f"{reasons}",
            permanent=True,
        )
    return [f"{len(names)} files were put back"]


def _wait(aside: SetAside) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while aside.wanted():
        if time.monotonic() > deadline:
            raise StoreError(
                f"{len(aside.wanted())} files still wait to go in: see what /ready says",
                permanent=False,
            )
        time.sleep(LOOK_EVERY_S)


def _is_running(data_dir: Path) -> bool:
    lock = FolderLock(data_dir)
    try:
        lock.acquire()
    except ConfigError:
        return True
    lock.release()
    return False


def _aside(data_dir: Path) -> SetAside:
    if not data_dir.is_dir():
        raise ConfigError(f"{data_dir} is no data folder: name it by --data, or by --config")
    return SetAside(data_dir / "set-aside")
