"""Rows and bodies that can never be inserted: kept in files, so that those behind them go on.

Nothing here is read back by itself. A table is an Arrow file whose name carries the token of its
insert, by which inserting it later counts once; a body is a file in the journal's own format.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import structlog

from streamgauge.store.journalfiles import disk_errors
from streamgauge.store.records import Kind, frame

log = structlog.get_logger(__name__)


class SetAside:
    """The folder of what was given up, and how much that is since the start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.row_count = 0

    def keep_rows(self, table_name: str, rows: pa.Table, token: str, reason: str) -> None:
        """Keep a segment's rows of one table.

        Raises:
            StoreError: the disk refused.
        """
        path = self.folder / f"{token}-{table_name}.arrow"
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        self._write(path, sink.getvalue())
        self._tell(path, rows.num_rows, reason)

    def keep_body(self, seq: int, line_count: int, payload: bytes, reason: str) -> None:
        """Keep a body as it stood in the journal.

        Raises:
            StoreError: the disk refused.
        """
        path = self.folder / f"{seq:020d}.body"
        self._write(path, frame(Kind.BODY, seq, line_count, payload), payload)
        self._tell(path, line_count, reason)

    def _write(self, path: Path, *parts: bytes | pa.Buffer) -> None:
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                for part in parts:
                    stream.write(part)

    def _tell(self, path: Path, row_count: int, reason: str) -> None:
        self.row_count += row_count
        log.error(
            "lines were set aside, since the engine will not take them: keep the file and report "
            "this; everything else goes on",
            rows=row_count,
            file=str(path),
            reason=reason,
        )
