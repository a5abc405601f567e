"""What was read waits on disk, by day, until it is sent: joined and sorted without much memory.

A day is a file of Arrow streams, appended one after the other. A day too large for memory is cut
by its stamps, so that rows of one point stay together.
"""

from __future__ import annotations

import io
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from streamgauge.model.errors import StoreError

NS_A_DAY = 86_400 * 10**9
MAX_ROWS = 250_000
"""Rows that are joined and sorted at once."""
_LENGTH_BYTES = 8
_DAY = "_day"


class Spool:
    """Rows of `frames.SCHEMA` in one folder."""

    def __init__(self, folder: Path, max_rows: int = MAX_ROWS) -> None:
        self._folder, self._max_rows = folder, max_rows

    def clear(self) -> None:
        """Begin anew."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, frame: pl.DataFrame) -> Counter[int]:
        """Append rows; how many of each day.

        Raises:
            StoreError: the disk refused.
        """
        added: Counter[int] = Counter()
        days = frame.with_columns((pl.col("stamp") // NS_A_DAY).alias(_DAY))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for (day,), part in days.partition_by(
                _DAY, as_dict=True, include_key=False, maintain_order=True
            ).items():
                added[int(day)] = len(part)
                _append(self._path(int(day)), part)
        except OSError as error:
            text = f"{self._folder}: {error.strerror}: what was read waits there until it is sent"
            raise StoreError(text, permanent=False) from error
        return added

    def parts(self, day: int, row_count: int) -> Iterator[pl.DataFrame]:
        """The rows of a day, about `max_rows` at once; the same ones each time."""
        count = -(-row_count // self._max_rows)
        if count <= 1:
            yield pl.concat(_frames(self._path(day)))
            return
        folder = self._folder / f"{day}-parts"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        # Mixed, as stamps are often whole multiples of something.
        mixed = pl.col("stamp") // 1_000_000 % 2_147_483_647 * 1_103_515_245 // 65_536
        which = mixed % count
        for frame in _frames(self._path(day)):
            pieces = frame.with_columns(which.alias(_DAY)).partition_by(
                _DAY, as_dict=True, include_key=False, maintain_order=True
            )
            for (number,), piece in pieces.items():
                _append(folder / str(number), piece)
        for path in sorted(folder.iterdir()):
            yield pl.concat(_frames(path))
        shutil.rmtree(folder)

    def _path(self, day: int) -> Path:
        return self._folder / f"{day}.rows"


def _append(path: Path, frame: pl.DataFrame) -> None:
    stream = io.BytesIO()
    frame.write_ipc_stream(stream, compression="zstd")
    block = stream.getvalue()
    with path.open("ab") as file:
        file.write(len(block).to_bytes(_LENGTH_BYTES))
        file.write(block)


def _frames(path: Path) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        while head := file.read(_LENGTH_BYTES):
            yield pl.read_ipc_stream(io.BytesIO(file.read(int.from_bytes(head))))
