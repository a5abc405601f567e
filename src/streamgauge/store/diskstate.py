"""Whether the disk of the data folder takes what is written: full, read-only, or gone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from streamgauge.model.errors import StoreError
from streamgauge.store.journal.files import disk_error

ROOM_BYTES = 1024**2
"""With less than this free, a disk is called full."""
_PROBE = "probe"
_PROBE_BYTES = 4096
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
_CURABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}) | _FORBIDDEN


class DiskState:
    """Judged from what the system tells, and from the last write that failed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._failure = ""

    def failed(self, error: StoreError) -> None:
        """A write was refused."""
        self._failure = str(error)

    def worked(self) -> None:
        """A write went through."""
        self._failure = ""

    def problem(self) -> str:
        """Why nothing can be written, for people; empty: it can.

        After a failure a small file is written to see whether it still holds.
        """
        try:
            self._look()
        except OSError as error:
            return str(disk_error(error, self._folder))
        if self._failure and self._can_write():
            self._failure = ""
        return self._failure

    def _look(self) -> None:
        state = os.statvfs(self._folder)
        if state.f_flag & os.ST_RDONLY:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        if state.f_bavail * state.f_frsize <= ROOM_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _can_write(self) -> bool:
        path = self._folder / _PROBE
        try:
            path.write_bytes(bytes(_PROBE_BYTES))
            path.unlink()
        except OSError:
            return False
        return True


def is_the_disks_fault(error: BaseException, folder: Path) -> bool:
    """Whether the disk of `folder` is why something failed, which can be cured while we run.

    Anything else at a start is a mistake in what was asked for. So is a new folder in a place where
    this user may not make one.
    """
    cause = error.__cause__
    if isinstance(cause, OSError):
        is_mistaken = cause.errno in _FORBIDDEN and not folder.exists()
        return cause.errno in _CURABLE and not is_mistaken
    return bool(DiskState(folder if folder.exists() else folder.parent).problem())
