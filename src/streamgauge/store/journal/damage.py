"""What of the journal could not be read back: kept for a look, counted, and told until removed."""

from __future__ import annotations

import contextlib
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
SUFFIX = ".damaged"
_LOST = "lost-batches"


class Damage:
    """Copies of damaged parts, as files whose names say how large each is.

    They outlive the process, and so does the notice, until somebody has looked and removed them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.found_bytes = 0
        """Since the start."""

    def keep(self, path: Path, offset: int, size: int) -> None:
        """Copy a damaged part out of a file that is deleted when the rest of it is inserted."""
        self.found_bytes += size
        copy = self._folder / f"{path.stem}-{offset}-{size}{SUFFIX}"
        with contextlib.suppress(OSError), path.open("rb") as stream:
            stream.seek(offset)
            copy.write_bytes(stream.read(size))

    def judge(self, lost_count: int) -> None:
        """Now that all is read: so many batches are lost; the rest of it was inserted before."""
        if not self.found_bytes:
            return
        log.error(
            "the journal is damaged: check the disk",
            bytes=self.found_bytes,
            lost_batches=lost_count,
            copies=str(self._folder / f"*{SUFFIX}"),
        )
        with contextlib.suppress(OSError):
            (self._folder / _LOST).write_text(str(self._lost_before() + lost_count))

    def _lost_before(self) -> int:
        try:
            has_copies = any(self._folder.glob(f"*{SUFFIX}"))
            return int((self._folder / _LOST).read_text()) if has_copies else 0
        except (OSError, ValueError):
            return 0

    def notice(self) -> str:
        """What is damaged, what is lost and what to do, for people; empty: nothing is."""
        sizes = [int(path.stem.rpartition("-")[2]) for path in self._folder.glob(f"*{SUFFIX}")]
        if not sizes:
            return ""
        lost = self._lost_before()
        told = (
            f"{lost:,} acknowledged {'batch is' if lost == 1 else 'batches are'} lost"
            if lost
            else "nothing is lost by it: what stood there had been stored"
        )
        return (
            f"the journal was damaged, {sum(sizes):,} bytes of it could not be read back; {told}. "
            f"Check the disk; when you have looked, remove {self._folder}/*{SUFFIX}"
        )
