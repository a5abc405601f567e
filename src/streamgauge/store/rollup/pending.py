"""What segments add to hours and days, gathered and then inserted at once.

An insert costs the engine as much for ten rows as for thousands, so hours and days are not given
every segment. Instead:
1. A segment's rows are appended to a log of their own, under the segment's token, before the
   journal is told that the segment is done. A segment that the journal repeats is known by it.
2. When enough have gathered, a token is appended, and all of them are inserted into hours and days
   under it. A crash in between repeats that insert, which then counts once.
3. Until then their hours are *open*: questions read the minutes of an open hour, so that an answer
   never misses a line that is waiting here.
(docs/adr/0005)
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from streamgauge.store.levels import FAMILIES, HOUR
from streamgauge.store.rollup.coarse import day_rows, hours_of
from streamgauge.store.rollup.pendinglog import PendingLog, Rows

REMEMBERED_SEGMENTS = 1000
"""As many as a table of the engine remembers."""
LOG_MAX_BYTES = 64 * 1024**2
Insert = Callable[[str, pa.Table, str], bool]
"""Puts rows into a table under a token; False: given up, nothing may follow."""


class Pending:
    """Used by the writer's thread; `open_hours` and `row_count` may be read by all."""

    def __init__(self, folder: Path, fsync: bool, wait_s: float, max_rows: int) -> None:
        """Nothing is touched before `open`.

        Args:
            folder: Where the log stands.
            fsync: Whether what is added survives a power cut.
            wait_s: Rows wait no longer.
            max_rows: No more wait.
        """
        self._log = PendingLog(folder, fsync)
        self._wait_s, self._max_rows = wait_s, max_rows
        self._rows: list[dict[str, pa.Table]] = []
        self._tokens: list[str] = []
        self._summed: deque[str] = deque(maxlen=REMEMBERED_SEGMENTS)
        self._flush_token = ""
        self._since = 0.0
        self.open_hours: frozenset[int] = frozenset()
        """Hours since the epoch whose rows of hours and days are not whole yet."""
        self.row_count = 0
        """Rows that wait."""

    def open(self) -> None:
        """Read back what a former process left.

        Raises:
            StoreError: the disk refused.
        """
        content = self._log.open()
        self._summed.extend(content.summed)
        for token, rows in content.rows:
            self._keep(token, rows)
        self._flush_token = content.flush_token

    def add(self, token: str, rows: Rows) -> None:
        """Keep a segment's rows of hours; nothing, if they were kept before.

        Raises:
            StoreError: the disk refused; nothing was kept.
        """
        if rows and token not in self._summed and token not in self._tokens:
            self._log.append(token, rows)
            self._keep(token, dict(rows))

    def _keep(self, token: str, rows: dict[str, pa.Table]) -> None:
        if not self._rows:
            self._since = time.monotonic()
        self._rows.append(rows)
        self._tokens.append(token)
        self.open_hours |= hours_of(rows)
        self.row_count += sum(table.num_rows for table in rows.values())

    @property
    def has_begun(self) -> bool:
        """Whether an insert was begun and is to be repeated before anything is added."""
        return bool(self._flush_token)

    def due_in_s(self) -> float | None:
        """How long it may still wait; None: there is nothing."""
        if not self._rows:
            return None
        is_much = self.row_count >= self._max_rows or self._log.size_bytes >= LOG_MAX_BYTES
        if self.has_begun or is_much:
            return 0.0
        return max(self._since + self._wait_s - time.monotonic(), 0.0)

    def settle(self, insert: Insert) -> bool:
        """Insert all that waits into hours and days; False: `insert` gave up, try again.

        Raises:
            StoreError: the disk refused; it may be asked again.
        """
        if self._rows and not self._flush_token:
            token = uuid.uuid4().hex
            self._log.begin_flush(token)
            self._flush_token = token
        if self._flush_token:
            hours = self._joined()
            for name, rows in (hours | day_rows(hours)).items():
                if not insert(name, rows, self._flush_token):
                    return False
            self._log.begin_anew([*self._summed, *self._tokens][-REMEMBERED_SEGMENTS:])
            self._forget()
        return True

    def _joined(self) -> dict[str, pa.Table]:
        names = [family.table(HOUR) for family in FAMILIES]
        told = {name: [rows[name] for rows in self._rows if name in rows] for name in names}
        return {
            name: pa.concat_tables(tables).unify_dictionaries().combine_chunks()
            for name, tables in told.items()
            if tables
        }

    def _forget(self) -> None:
        self._summed.extend(self._tokens)
        self._rows, self._tokens, self._flush_token = [], [], ""
        self.open_hours, self.row_count = frozenset(), 0

    def clear(self) -> None:
        """Let go of what waits: the tables are emptied.

        Raises:
            StoreError: the disk refused.
        """
        self._log.begin_anew([*self._summed, *self._tokens][-REMEMBERED_SEGMENTS:])
        self._forget()

    def close(self) -> None:
        """Close the log; what waits stays in it."""
        self._log.close()
