"""Opens a file, gzipped or not, and says how much of it is read."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from streamgauge.model.errors import ConfigError


class Opened:
    """Bytes to read, and where the file below stands."""

    def __init__(self, plain: IO[bytes], below: IO[bytes], size: int) -> None:
        self.plain, self._below, self._size = plain, below, max(size, 1)

    @property
    def ratio(self) -> float:
        """How much is read, 0 to 1."""
        return min(self._below.tell() / self._size, 1.0)


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open it.

    Raises:
        ConfigError: it cannot be read, or its gzip is damaged or cut off.
    """
    try:
        with path.open("rb") as below:
            is_zipped = below.read(2) == b"\x1f\x8b"
            below.seek(0)
            plain = io.BufferedReader(gzip.GzipFile(fileobj=below)) if is_zipped else below
            yield Opened(plain, below, path.stat().st_size)
    except (OSError, EOFError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
