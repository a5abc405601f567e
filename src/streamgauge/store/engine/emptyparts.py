"""Removes merged parts that a full disk left empty, so that the engine takes up their sources.

A merge during which the disk runs full puts a part with empty files into use (chDB 26.9); what it
was made of stays on disk for some seconds, or for as long as `host.diskguard` holds it back. The
engine would find that out at its start, too, but keep the empty part as one whose rows are lost.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PART = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_(?P<level>\d+)")
_NEVER_EMPTY = ("checksums.txt", "columns.txt", "count.txt", "data.bin", "partition.dat")


def drop_empty(engine_folder: Path) -> int:
    """Remove them; returns how many. The engine must not run.

    Args:
        engine_folder: What a `chdb:///…` address names; it may not be there yet.
    """
    return sum(_tend(folder) for folder in engine_folder.glob("store/*/*"))


def _tend(table_folder: Path) -> int:
    count = 0
    with suppress(OSError):  # a read-only disk: the engine says what it cannot read
        sound = [path for path in _parts(table_folder) if not _is_empty(path)]
        for path in [*_parts(table_folder), *_parts(table_folder / "detached")]:
            if _is_empty(path) and _is_made_of(path, sound):
                shutil.rmtree(path)
                count += 1
    return count


def _parts(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if _PART.fullmatch(path.name))


def _is_empty(part: Path) -> bool:
    paths = [part / name for name in _NEVER_EMPTY]
    return any(path.exists() and path.stat().st_size == 0 for path in paths)


def _is_made_of(part: Path, sound: list[Path]) -> bool:
    """Whether all that went into it is there: the first, the last, and so those in between."""
    partition, first, last = _blocks(part)
    inside = [
        blocks
        for blocks in map(_blocks, sound)
        if blocks[0] == partition and first <= blocks[1] and blocks[2] <= last
    ]
    starts, ends = {blocks[1] for blocks in inside}, {blocks[2] for blocks in inside}
    return first in starts and last in ends


def _blocks(part: Path) -> tuple[str, int, int]:
    found = _PART.fullmatch(part.name)
    assert found is not None  # noqa: S101 - of `_parts`
    return found["partition"], int(found["first"]), int(found["last"])
