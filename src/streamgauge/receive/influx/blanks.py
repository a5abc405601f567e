"""Steps over white space, as InfluxDB does between sections: runs of spaces, tabs and NULs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Positions = NDArray[np.int64]


class Blanks:
    """The white space of one body."""

    def __init__(self, text: Bytes) -> None:
        self._text = text
        self._filled: Positions | None = None

    def skip(self, at: Positions) -> Positions:
        """The first byte at or behind each position that is not white space."""
        inside = np.minimum(at, len(self._text) - 1)
        if not _is_blank(self._text[inside]).any():
            return at
        if self._filled is None:
            self._filled = np.append(np.flatnonzero(~_is_blank(self._text)), len(self._text))
        found: Positions = self._filled[np.searchsorted(self._filled, at)]
        return found


def _is_blank(values: Bytes) -> NDArray[np.bool_]:
    blank: NDArray[np.bool_] = (values == ord(" ")) | (values == ord("\t")) | (values == 0)
    return blank
