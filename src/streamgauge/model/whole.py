"""Files that hold something whole or not at all, also on a full disk; standard library only."""

from __future__ import annotations

import errno
import os
from pathlib import Path

UNFINISHED = ".new"
"""The suffix of what is being written; one that a crash left behind may go."""


def append_whole(descriptor: int, content: bytes, size_bytes: int, *, fsync: bool) -> None:
    """Append to an open file; of what cannot be written as a whole nothing stays.

    Args:
        descriptor: opened to append.
        content: written at once.
        size_bytes: of the file before.
        fsync: on the disk, not only on its way there.

    Raises:
        OSError: the disk refused, or is full.
    """
    try:
        _write(descriptor, content)
        if fsync:
            os.fdatasync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size_bytes)
        raise


def _write(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) < len(content):  # a full disk took part of it
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def replace_whole(path: Path, content: bytes, *, fsync: bool = False) -> None:
    """Make or replace a file; whoever reads it, and whatever crashes, finds the old or the new.

    Raises:
        OSError: the disk refused, or is full; what was there stays.
    """
    unfinished = path.with_suffix(UNFINISHED)
    with unfinished.open("wb") as stream:
        stream.write(content)
        stream.flush()
        if fsync:
            os.fsync(stream.fileno())
    unfinished.replace(path)
