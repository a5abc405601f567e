"""One process a data folder: an advisory lock on `DIR/lock`, which holds the owner's pid."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.store.journal.files import disk_error

RESTORING = "RESTORING"
"""A file that stands in a data folder until all of a restore is there."""


class FolderLock:
    """Held from `acquire` to `release`, or until the process ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._descriptor = -1

    def acquire(self, is_restoring: bool = False) -> None:
        """Take the folder, making it where it does not exist.

        Raises:
            ConfigError: another process has it, or a restore into it has not ended (unless
                `is_restoring`).
            StoreError: it cannot be made or written.
        """
        try:
            self._make()
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise disk_error(error, self._folder) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"{self._folder} is in use by another streamgauge (process {owner}): stop that "
                "one, or name another folder (--data)"
            ) from error
        self._descriptor = descriptor
        if not is_restoring and (self._folder / RESTORING).exists():
            self.release()
            raise ConfigError(
                f"{self._folder} holds a restore that has not ended: run `streamgauge restore` "
                "again, or empty the folder"
            )
        self._sign()

    def _make(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except FileNotFoundError as error:  # /proc and the like
            raise StoreError(
                f"{self._folder} cannot be made: name another folder (--data)", permanent=True
            ) from error

    def _sign(self) -> None:
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)
        except OSError as error:
            self.release()
            raise disk_error(error, self._folder) from error

    def release(self) -> None:
        """Give the folder back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
