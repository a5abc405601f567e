"""Makes the embedded engine forget inserts that it wrote down and did not finish.

A table writes an insert's token into its log (`deduplication_logs/`), then gives the part its name.
Killed in between, some 50 microseconds of every insert, it knows the token and has no rows: sent
again after the start, the insert would be dropped as known. So, before the engine opens its folder:
1. Compare the newest tokens of each table's log with the parts that are there. A part may have
   become one with others since: these cover its number.
2. Take back each token that has no part, by a line as the engine writes it when a part is dropped.
3. Cut off a line that a power cut tore: the engine would not open the table.

Source: ClickHouse, src/Storages/MergeTree/MergeTreeDeduplicationLog.cpp and MergeTreeSink.cpp; the
order was seen in chDB 26.9, where a kill at the renaming lost a retried insert each time.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from streamgauge.model.errors import StoreError

READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
NEWEST = 16
"""Tokens of a table that are looked at: more than there are inserts into it at one time."""
_ADDED, _DROPPED = "1", "2"
_PART = re.compile(r"(?P<partition>.+?)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
Blocks = tuple[str, int, int]
"""Partition, first and last number of the inserts in a part."""


def forget_unfinished(engine_folder: Path) -> int:
    """Take back tokens without rows; returns how many. The engine must not run.

    Args:
        engine_folder: What a `chdb:///…` address names; it may not be there yet.

    Raises:
        StoreError: the disk is full: what it knows and does not have must not be left known.
    """
    count = 0
    for folder in engine_folder.glob("store/*/*/deduplication_logs"):
        try:
            count += _tend(folder)
        except OSError as error:
            if error.errno not in READ_ONLY:  # there nothing can be inserted either
                raise StoreError(
                    f"what a crash left half done in {engine_folder} cannot be put right "
                    f"({error.strerror}): free some space there",
                    permanent=False,
                ) from error
    return count


def _tend(folder: Path) -> int:
    logs = sorted(folder.glob("deduplication_log_*.txt"), key=_number)
    if not logs:
        return 0
    _cut_torn_line(logs[-1])
    lines = [line for path in logs[-2:] for line in path.read_text().splitlines()]
    parts = list(_parts(folder.parent))
    lost = [record for record in _newest(lines) if not _is_there(record[1], parts)]
    if lost:
        with logs[-1].open("a") as stream:
            stream.write("".join(f"{_DROPPED}\t{part}\t{token}\n" for token, part in lost))
    return len(lost)


def _number(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _cut_torn_line(path: Path) -> None:
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)


def _newest(lines: list[str]) -> list[tuple[str, str]]:
    """Token and part of the last inserts that are known."""
    known: dict[str, str] = {}
    for line in lines:
        kind, part, token = line.split("\t")
        known.pop(token, None)
        if kind == _ADDED:
            known[token] = part
    return list(known.items())[-NEWEST:]


def _parts(table_folder: Path) -> Iterator[Blocks]:
    for path in table_folder.iterdir():
        if not path.name.startswith("tmp") and (blocks := _blocks(path.name)):
            yield blocks


def _blocks(name: str) -> Blocks | None:
    found = _PART.fullmatch(name)
    return (found["partition"], int(found["first"]), int(found["last"])) if found else None


def _is_there(name: str, parts: list[Blocks]) -> bool:
    sought = _blocks(name)
    return sought is None or any(
        partition == sought[0] and first <= sought[1] and sought[2] <= last
        for partition, first, last in parts
    )
