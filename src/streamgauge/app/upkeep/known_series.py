"""Keeps over restarts which series the cardinality guard knows.

Without it a customer with more series than may be new in an hour would be refused most of them for
hours after every restart. What `kill -9` loses is what became known since the last `save`: those
series are new once more, and need the allowance they needed before.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import structlog

from streamgauge.model.whole import replace_whole
from streamgauge.receive.guard import SeriesGuard

log = structlog.get_logger(__name__)


class KnownSeries:
    """One file of hashes, 8 bytes each (16 MB at most), replaced as a whole."""

    def __init__(self, path: Path, guard: SeriesGuard) -> None:
        self._path, self._guard = path, guard
        self._saved_count = 0

    def load(self) -> None:
        """Tell the guard what a former process knew; a file that cannot be read is passed over."""
        try:
            hashes = np.load(self._path, allow_pickle=False)
        except FileNotFoundError:
            return
        except (OSError, ValueError, EOFError) as error:
            log.warning("the known series cannot be read: all count as new", error=str(error))
            return
        if hashes.dtype == np.uint64 and hashes.ndim == 1:
            self._guard.restore(hashes)
            self._saved_count = self._guard.known_count

    def save(self) -> None:
        """Write down what is known, if it is more than before; a full disk costs nothing else."""
        if self._guard.known_count == self._saved_count:
            return
        hashes = self._guard.known()
        content = BytesIO()
        np.save(content, hashes)
        try:
            replace_whole(self._path, content.getvalue())
        except OSError as error:
            log.warning("the known series cannot be kept", error=str(error))
            return
        self._saved_count = len(hashes)
