"""What receiving needs from below: somewhere to keep what it understood. `app` joins them."""

from __future__ import annotations

from typing import Protocol

from streamgauge.model.batch import Parsed


class Sink(Protocol):
    """Keeps parsed bodies; acknowledging one means that it survives a crash."""

    def write(self, parsed: Parsed, retry_key: bytes | None, received_at: float) -> bool:
        """Keep a body. Blocks (disk): call it in a thread.

        Args:
            parsed: the good lines, and the refused ones for the record.
            retry_key: 16 bytes that name the body, by which a retry is known; None where a retry
                cannot be told from a second body.
            received_at: epoch seconds.

        Returns:
            False when `retry_key` was seen before; then nothing is kept again.

        Raises:
            Overloaded: nothing was kept, try again later.
            StoreError: nothing was kept, the disk refused.
        """
        ...

    def knows(self, retry_key: bytes) -> bool:
        """Whether a body of that key was kept before, so that `write` would return False."""
        ...
