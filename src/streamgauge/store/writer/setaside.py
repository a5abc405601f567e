"""Rows and bodies that the engine will not take: kept in files, so that those behind them go on.

A table is an Arrow file whose name carries the token of its insert, by which inserting it later
counts once; a body is a file in the journal's own format. Beside each stands why. Nothing is read
back by itself: somebody who has removed the cause moves files to `again/` (the command
`streamgauge set-aside restore`), and `restoring` inserts what it finds there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog

from streamgauge.store.journal.files import disk_errors
from streamgauge.store.journal.records import Kind, frame, read_frames

log = structlog.get_logger(__name__)

ASIDE = "set-aside"
"""The folder's name in the data folder."""
BODY = ".body"
ROWS = ".arrow"
_REASON = ".reason"
_AGAIN = "again"
MAX_LISTED = 10_000


@dataclass(frozen=True, slots=True)
class Given:
    """One file of what was set aside."""

    path: Path
    table_name: str
    """Empty: a whole body."""
    row_count: int
    reason: str
    at: float
    """When it was set aside, epoch seconds."""


class SetAside:
    """The folder of what was given up, and how much that is since the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.row_count = 0
        self._counts: dict[str, int] = {}

    def keep_rows(self, table_name: str, rows: pa.Table, token: str, reason: str) -> None:
        """Keep a segment's rows of one table.

        Raises:
            StoreError: the disk refused.
        """
        path = self.folder / f"{token}-{table_name}{ROWS}"
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        self._write(path, reason, sink.getvalue())
        self._tell(path, rows.num_rows, reason)

    def keep_body(self, seq: int, line_count: int, payload: bytes, reason: str) -> None:
        """Keep a body as it stood in the journal.

        Raises:
            StoreError: the disk refused.
        """
        path = self.folder / f"{seq:020d}{BODY}"
        self._write(path, reason, frame(Kind.BODY, seq, line_count, payload), payload)
        self._tell(path, line_count, reason)

    def _write(self, path: Path, reason: str, *parts: bytes | pa.Buffer) -> None:
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            _reason_path(path).write_text(reason)
            with path.open("wb") as stream:
                for part in parts:
                    stream.write(part)

    def _tell(self, path: Path, row_count: int, reason: str) -> None:
        self.row_count += row_count
        log.error(
            "lines were set aside, since the engine will not take them: see `streamgauge "
            "set-aside list`; everything else goes on",
            rows=row_count,
            file=str(path),
            reason=reason,
        )

    # -- what is there ------------------------------------------------------------------------

    def listed(self) -> list[Given]:
        """What is set aside, oldest first, at most `MAX_LISTED` files."""
        found = list(self._files(self.folder))[:MAX_LISTED]
        return sorted(map(given, found), key=lambda each: each.at)

    def wanted(self) -> list[Path]:
        """The files that somebody wants to have inserted again."""
        return sorted(self._files(self.folder / _AGAIN))

    def _files(self, folder: Path) -> Iterator[Path]:
        for suffix in (ROWS, BODY):
            yield from folder.glob(f"*{suffix}")

    def want_again(self, path: Path) -> None:
        """Have a listed file inserted again, by the process that has the data folder.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self.folder):
            (self.folder / _AGAIN).mkdir(exist_ok=True)
            path.rename(self.folder / _AGAIN / path.name)

    def refused_again(self, path: Path, reason: str) -> None:
        """Put a wanted file back among the others, with the new reason.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self.folder):
            _reason_path(self.folder / path.name).write_text(reason)
            path.rename(self.folder / path.name)

    def is_restored(self, path: Path) -> None:
        """Forget a wanted file: it is in the engine, or in the journal.

        Raises:
            StoreError: the disk refused.
        """
        with disk_errors(self.folder):
            path.unlink(missing_ok=True)
            _reason_path(self.folder / path.name).unlink(missing_ok=True)

    def notice(self) -> str:
        """How much is set aside and what to do, for people; empty: nothing is."""
        names = {path.name: path for path in self._files(self.folder)}
        self._counts = {
            name: self._counts[name] if name in self._counts else _row_count(path)
            for name, path in names.items()
        }
        if not names:
            return ""
        return (
            f"{sum(self._counts.values()):,} rows were set aside, since the engine refused them; "
            "they count nowhere until they are put back. See why by `streamgauge set-aside list`, "
            "and when the cause is gone, `streamgauge set-aside restore`"
        )


def given(path: Path) -> Given:
    """What one file holds."""
    reason = ""
    with contextlib.suppress(OSError):
        reason = _reason_path(path).read_text()
    table_name = path.stem.partition("-")[2] if path.suffix == ROWS else ""
    return Given(path, table_name, _row_count(path), reason, path.stat().st_mtime)


def read_rows(path: Path) -> pa.Table:
    """The rows of a `.arrow` file."""
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def token_of(path: Path) -> str:
    """The token of the insert that was refused."""
    return path.stem.partition("-")[0]


def _row_count(path: Path) -> int:
    """Rows in a file; 0: it cannot be read."""
    try:
        if path.suffix == ROWS:
            return int(read_rows(path).num_rows)
        with path.open("rb") as stream:
            return sum(each.second for each in read_frames(stream))
    except (OSError, pa.ArrowInvalid):
        return 0


def _reason_path(path: Path) -> Path:
    return path.with_name(path.name + _REASON)
