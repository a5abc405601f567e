"""Keeps merges away from a disk that runs full, since the engine loses rows there.

A merge during which the last byte of the disk is taken ends without an error: its part has empty
files, is in use, and what it was made of is deleted seconds later (chDB 26.9). So:
1. While little is free, merges are broken off, and nothing old is deleted.
2. When there is room again, the engine starts anew: it then looks at every part, and takes up
   again what a broken one was made of.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from streamgauge.store.host.failures import Refused
from streamgauge.store.host.questions import Question
from streamgauge.store.host.sessions import Sessions

LOOK_EVERY_S = 0.05
"""A disk takes some 500 MB/s: a tenth of what is kept free is gone in between."""
KEEP_FREE_BYTES, KEEP_FREE_RATIO = 256 * 1024**2, 0.03
"""Little is the smaller of both: so many bytes, and this share of the file system."""
ROOM_AGAIN = 1.5
"""Of what is little: above it there is room again."""
STOP = ("SYSTEM STOP CLEANUP", "SYSTEM STOP MERGES")
_STOP_AGAIN_S = 5.0
"""Tables made meanwhile are not stopped by a statement before them."""
FreeAndAll = tuple[int, int]


class DiskGuard:
    """One thread, in the engine's process.

    Args:
        measure: Bytes that are free, and all bytes.
        command: Runs a statement.
        restart: Ends this process, for it to be started again.
    """

    def __init__(
        self,
        measure: Callable[[], FreeAndAll],
        command: Callable[[str], object],
        restart: Callable[[], None],
    ) -> None:
        self._measure, self._command, self._restart = measure, command, restart
        self._is_low = False
        self._stopped_at = float("-inf")

    def start(self) -> None:
        """Look until the process ends."""
        threading.Thread(target=self._run, name="disk-guard", daemon=True).start()

    def look(self, now_s: float) -> None:
        """One look, at `now_s` seconds of a clock that only goes forward."""
        free, total = self._measure()
        little = min(KEEP_FREE_BYTES, KEEP_FREE_RATIO * total)
        if self._is_low and free > ROOM_AGAIN * little:
            self._is_low = False
            self._restart()
        elif free <= little or self._is_low:
            self._is_low = True
            self._stop_merges(now_s)

    def _stop_merges(self, now_s: float) -> None:
        if now_s - self._stopped_at < _STOP_AGAIN_S:
            return
        for statement in STOP:
            self._command(statement)
        self._stopped_at = now_s

    def _run(self) -> None:
        while True:
            try:
                self.look(time.monotonic())
            except (OSError, Refused) as error:
                print(f"the disk cannot be watched: {error}", file=sys.stderr, flush=True)
            time.sleep(LOOK_EVERY_S)


def guard(folder: Path, sessions: Sessions) -> None:
    """Watch the disk of an engine's folder until the process ends."""

    def command(statement: str) -> None:
        sessions.run(Question(statement, None, "TabSeparated", {}, {}, ""))

    DiskGuard(lambda: free_and_all(folder), command, start_anew).start()


def free_and_all(folder: Path) -> FreeAndAll:
    """Of the file system of `folder`.

    Raises:
        OSError: it is not there.
    """
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize, state.f_blocks * state.f_frsize


def start_anew() -> None:
    """End this process, whoever asks it something: what is under way is made again."""
    print(
        "there is room on the disk again: the engine starts anew, to look at what it wrote there",
        file=sys.stderr,
        flush=True,
    )
    os._exit(os.EX_TEMPFAIL)
