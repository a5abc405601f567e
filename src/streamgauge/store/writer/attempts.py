"""Tries a step again until it is done; after lasting refusals, takes another way.

A refusal is *lasting* when it is about what is inserted: trying again cannot help. An engine that
is busy, out of memory, or whose disk is full is tried for ever: its lines wait in the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamgauge.model.errors import StoreError

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 10.0
LASTING_TRIES = 5
"""Lasting refusals before the other way is taken; a mistaken one costs a few seconds, not lines."""

Step = Callable[[], None]
OtherWay = Callable[[str], None]
"""What is done instead, given the reason for people."""


class Attempts:
    """Of one thread; `stop` may be called by others."""

    def __init__(self) -> None:
        self.error_count = 0
        self.problem = ""
        """Why it does not go on, for people; empty while it does."""
        self.is_patient = True
        """Off: what is not lasting is raised at once."""
        self._is_stopped = False
        self._woken = threading.Event()

    def stop(self) -> None:
        """Give up waiting."""
        self._is_stopped = True
        self._woken.set()

    def start(self) -> None:
        """Wait again."""
        self._is_stopped = False
        self._woken.clear()

    def wake(self) -> None:
        """Try at once what is waited with: its cause may be gone."""
        self._woken.set()

    def until_done(self, step: Step, other_way: OtherWay | None = None) -> bool:
        """Try `step` until it succeeds or `other_way` does; False: stopped meanwhile.

        Raises:
            StoreError: not patient, and the refusal is not lasting.
        """
        backoff_s, lasting = FIRST_BACKOFF_S, 0
        while error := self._failure(step):
            lasting += is_lasting(error)
            is_hopeless = other_way is not None and lasting >= LASTING_TRIES
            if is_hopeless and other_way and not self._failure(lambda: other_way(_said(error))):
                break
            if isinstance(error, StoreError) and not (self.is_patient or error.permanent):
                raise error
            is_woken = self._woken.wait(backoff_s)
            if self._is_stopped:
                return False
            self._woken.clear()
            backoff_s = FIRST_BACKOFF_S if is_woken else min(backoff_s * 2, MAX_BACKOFF_S)
        self.problem = ""
        return True

    def _failure(self, step: Step) -> Exception | None:
        try:
            step()
        except Exception as error:  # a mistake of ours must not end the thread in silence
            self.error_count += 1
            self.problem = f"lines wait in the journal, inserting fails: {_said(error)}"
            return error
        return None


def is_lasting(error: Exception) -> bool:
    """Whether trying again cannot help: the engine says so, or it is a mistake of ours."""
    return error.permanent if isinstance(error, StoreError) else not isinstance(error, MemoryError)


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"
