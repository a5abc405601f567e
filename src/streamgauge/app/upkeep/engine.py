"""Keeps the embedded engine's process running, whatever happens to it.

1. Start it; while it cannot be opened, start it again after pauses that grow.
2. Ask it every second. It has ended, or does not answer: whoever asks is told, at once.
3. It has not answered for a while: it is killed, and started again.
4. It has held more than its share of memory for a while: it is ended in order, and started again.
5. At the end it is ended in order, after those who use it.

What it missed meanwhile waits in the journal; nothing here is about lines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import structlog

from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.store import Store
from streamgauge.store.engine.address import embedded_path, is_embedded
from streamgauge.store.engine.memory import MemoryWatch, memory_options
from streamgauge.store.host.process import EngineProcess
from streamgauge.store.writer.sharing import Sharing

log = structlog.get_logger()

OPEN_WITHIN_S = 300.0
"""How long opening may take: parts are loaded, and what a crash left is cleaned up."""
ASK_EVERY_S = 1.0
LOOK_EVERY_S = 0.2
"""How soon it is noticed that the process has ended."""
SUSPECT_AFTER_S = 5.0
"""Silence after which questions are refused rather than left waiting."""
KILL_AFTER_S = 15.0
"""Silence after which it is killed: a busy engine answers within tens of milliseconds."""
END_WITHIN_S = 20.0
FIRST_PAUSE_S = 0.2
MAX_PAUSE_S = 30.0
SOUND_AFTER_S = 60.0
"""A life that lasted so long was a sound one: the next pause is short again."""
SILENT = "the engine does not answer at present"
TOO_LARGE = "the engine held more memory than its share for too long; it is started again"


class EngineKeeper:
    """One thread that owns the process: its end would be the process's end.

    Args:
        path: The engine's folder.
        found: Is told where the engine answers, every time it is there again.
        lost: Is told why it is away.
        watched: Tells when it holds more than its share of memory.
    """

    def __init__(
        self,
        path: Path,
        found: Callable[[str], None],
        lost: Callable[[str], None],
        watched: MemoryWatch,
    ) -> None:
        self._path, self._found, self._lost, self._watched = path, found, lost, watched
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine-keeper", daemon=True)

    @property
    def memory_bytes(self) -> int:
        """What the engine's process held when it was last asked; 0: there is none."""
        return self._watched.held_bytes

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the engine in order; nobody may use it any more."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stop.is_set():
            started = time.monotonic()
            why = self._live()
            if self._stop.is_set():
                return
            log.error("the engine is started again", reason=why, pause_s=pause_s)
            self._lost(why)
            is_sound = time.monotonic() - started > SOUND_AFTER_S
            pause_s = FIRST_PAUSE_S if is_sound else min(pause_s * 2, MAX_PAUSE_S)
            self._stop.wait(pause_s)

    def _live(self) -> str:
        """One life, from start to end; returns why it ended, for people."""
        process = EngineProcess(self._path, _tell, memory_options(self._watched.limit_bytes))
        try:
            process.start(OPEN_WITHIN_S, self._stop.is_set)
        except StoreError as error:
            return str(error)
        try:
            self._found(process.url)
            return self._watch(process)
        finally:
            self._watched.begin_anew()
            if process.ending() is None:
                process.stop(END_WITHIN_S)
            else:
                process.kill()

    def _watch(self, process: EngineProcess) -> str:
        answered = time.monotonic()
        is_suspected = False
        while not self._wait(process):
            if ending := process.ending():
                return f"the engine's process has ended ({ending}); it is started again"
            if self._watched.is_too_much(process.memory_bytes(), time.monotonic()):
                self._lost(TOO_LARGE)
                return f"{TOO_LARGE} ({self.memory_bytes:,} bytes)"
            if process.answers(ASK_EVERY_S):
                answered = time.monotonic()
                if is_suspected:
                    self._found(process.url)
                is_suspected = False
                continue
            silent_s = time.monotonic() - answered
            if silent_s > KILL_AFTER_S:
                process.kill()
                return f"the engine stood still for {silent_s:.0f} s; it is started again"
            if silent_s > SUSPECT_AFTER_S and not is_suspected:
                is_suspected = True
                log.warning(SILENT, for_s=round(silent_s))
                self._lost(SILENT)
        return "streamgauge ends"

    def _wait(self, process: EngineProcess) -> bool:
        """Until it is time to ask, or the process has ended; True: it is time to stop."""
        until = time.monotonic() + ASK_EVERY_S
        while time.monotonic() < until and process.ending() is None:
            if self._stop.wait(LOOK_EVERY_S):
                return True
        return self._stop.is_set()


def _tell(line: str) -> None:
    log.warning("the engine's process says", line=line)


class Made(NamedTuple):
    """The store, and what belongs to it."""

    store: Store
    open: Callable[[], None]
    engine_held_bytes: Callable[[], int | None]
    """Memory of the engine's own process; None: it has none."""


def make_store(
    configuration: Configuration,
    clock: Clock,
    stack: ExitStack,
    sharing: Sharing | None = None,
) -> Made:
    """The store, with its engine where the configuration wants it, and what opens both.

    Bodies are taken once it is open. An engine in a process of its own, or on a server, may come
    later; one in this process is there. `stack` closes what is open.

    Raises:
        ConfigError: the address cannot be used.
    """
    url, folder = wiring.store_url(configuration), wiring.data_folder(configuration)
    settings = wiring.store_settings(configuration)
    if sharing:  # hours that wait would be known to this process alone
        settings = replace(settings, rollup_wait_s=0.0)
    if not is_embedded(url) or not configuration.store.engine_process:
        store = Store(url, folder, clock, settings, sharing)
        stack.callback(store.close)
        return Made(store, lambda: store.open(is_patient=not is_embedded(url)), lambda: None)
    store = Store(None, folder, clock, settings)
    path = Path(embedded_path(url))
    watched = MemoryWatch(settings.engine_memory_bytes)
    keeper = EngineKeeper(path, store.engine_found, store.engine_lost, watched)
    stack.callback(keeper.stop)
    stack.callback(store.close)

    def open_both() -> None:
        store.open(is_patient=True)
        keeper.start()

    return Made(store, open_both, lambda: keeper.memory_bytes)
