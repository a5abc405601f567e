"""Where the engine's driver writes what it is about to insert: inside the data folder.

The driver (clickhouse-connect 1.12, chDB) hands an insert over in a file of `tempfile`, which
`kill -9` leaves behind. The system's folder for such files would fill up, or be full while the data
folder is not.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from streamgauge.store.journal.files import disk_errors


class Scratch:
    """From `take` to `give_back`, the process's temporary files stand in `DIR/tmp`."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "tmp"
        self._former: str | None = None
        self._is_taken = False

    def take(self) -> None:
        """Empty it of what a killed process left; the data folder must be locked by us.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(exist_ok=True)
        self._former, tempfile.tempdir = tempfile.tempdir, str(self._folder)
        self._is_taken = True

    def give_back(self) -> None:
        """Let temporary files go where they went before."""
        if self._is_taken:
            tempfile.tempdir = self._former
            self._is_taken = False
