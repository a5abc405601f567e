"""Opens what stands on the disk, again and again while the disk is full, read-only or broken.

The first attempt is made before anything is served, so that a mistake in what was asked for ends
the program with a sentence. What the disk is to blame for does not: the program comes up, says why
it is not ready, refuses writes, and goes on by itself when the cause is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from streamgauge.model.errors import StreamgaugeError
from streamgauge.store.diskstate import is_the_disks_fault

log = structlog.get_logger()

TRY_EVERY_S = 1.0
Step = Callable[[], None]


class Opening:
    """Steps in order; one that is done is not done again."""

    def __init__(self, folder: Path, steps: Sequence[Step]) -> None:
        """Nothing is opened yet.

        Args:
            folder: The data folder, whose disk may be to blame.
            steps: May be tried again after they raised.
        """
        self._folder, self._steps = folder, list(steps)
        self._why = ""

    def problems(self) -> list[str]:
        """Why not everything is open, for people; empty: it is."""
        return [self._why] if self._why else []

    def begin(self) -> None:
        """Open as much as the disk allows.

        Raises:
            ConfigError: what was asked for cannot be.
            StoreError: the same, of the store.
        """
        try:
            self._go_on()
        except StreamgaugeError as error:
            if not is_the_disks_fault(error, self._folder):
                raise
            self._tell(str(error))

    def _go_on(self) -> None:
        while self._steps:
            self._steps[0]()
            self._steps.pop(0)
        if self._why:
            log.info("the disk is back: everything is open")
        self._why = ""

    def _tell(self, why: str) -> None:
        if why != self._why:
            log.warning("not ready; it goes on by itself when the cause is gone", reason=why)
        self._why = why

    async def until_done(self, stop: asyncio.Event) -> bool:
        """Wait until everything is open; False: `stop` was set before."""
        while self._why and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), TRY_EVERY_S)
            if not stop.is_set():
                await asyncio.to_thread(self._try_again)
        return not self._why

    def _try_again(self) -> None:
        try:
            self._go_on()
        except StreamgaugeError as error:
            self._tell(str(error))
