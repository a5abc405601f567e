"""Remembers for a day, over restarts, the keys by which a sender's retry is known.

However many there are: the newest keys are a set in memory and a log on disk; a full set, or one
whose span of hours is over, becomes a sorted file (`keyruns`), and sorted files of one span are
merged in the background. Memory is bounded by the size of the set, disk takes 16 bytes a key.
Keys are kept whole, so that a body is taken for a retry by chance once in 2^128 / keys.

Time is that of the bodies (`received_at`). Spans end by it and are forgotten when all of one is
older than a day. Bodies a little out of order are remembered a little longer. When the clock is
set back, what came "later" counts as having come now, so that it is known for a day from now.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path

import structlog

from streamgauge.store.journal.keylog import KEY_BYTES, KeyLog
from streamgauge.store.journal.keyruns import (
    SUFFIX,
    UNFINISHED,
    Halves,
    KeyRun,
    merged,
    run_path,
    sort_keys,
    write_run,
)

log = structlog.get_logger(__name__)

REMEMBERED_S = 86_400.0
SPAN_HOURS = 4
SPAN_S = SPAN_HOURS * 3600
"""Keys are forgotten by spans: after 24 to 28 hours."""
TIER_RUNS = 4
"""So many runs of about one size become one, four times as large."""
MAX_SEALED = 2
"""Sets that may wait in memory to be sorted; then receiving waits for that."""


def digest(retry_key: bytes) -> bytes:
    """A key of any length as 16 bytes."""
    return blake2b(retry_key, digest_size=KEY_BYTES).digest()


class RetryKeys:
    """Guarded by the journal's lock, but for the thread that sorts and merges."""

    def __init__(self, folder: Path, max_in_memory: int) -> None:
        """Nothing is touched before `load`.

        Args:
            folder: Where logs and sorted files stand.
            max_in_memory: Keys in the newest set; about 100 bytes each, three times at most.
        """
        self._folder, self._max_in_memory = folder, max_in_memory
        self._newest: KeyLog | None = None
        self._sealed: tuple[KeyLog, ...] = ()
        self._runs: tuple[KeyRun, ...] = ()
        self._next_number = 1
        self._lock = threading.RLock()
        """Guards changes of the three above; readers take them as they are."""
        self._sorter: ThreadPoolExecutor | None = None
        self._is_closing = False

    # -- what the journal asks ----------------------------------------------------------------

    def load(self, now: float) -> None:
        """Take up what a former process remembered before `now`, also in the older format.

        Raises:
            OSError: the folder cannot be read.
        """
        for path in self._folder.glob(f"keys-*{UNFINISHED}"):
            path.unlink(missing_ok=True)
        self._runs = tuple(self._found_runs())
        logs = sorted(KeyLog.found(self._folder), key=lambda each: (each.hour, each.number))
        numbers = [run.number for run in self._runs] + [each.number for each in logs]
        self._next_number = max(numbers, default=0) + 1
        if logs:
            *sealed, self._newest = logs
            self._sealed = tuple(sealed)
        self._keep_time(now)
        self._tidy_behind()

    def _found_runs(self) -> Iterator[KeyRun]:
        for path in sorted(self._folder.glob(f"keys-*{SUFFIX}")):
            try:
                yield KeyRun(path)
            except ValueError:
                log.warning(
                    "a file of retry keys is damaged and left out: batches of that time that are "
                    "sent again now count twice",
                    file=str(path),
                )

    def __contains__(self, key: bytes) -> bool:
        newest = self._newest
        # In this order, since keys only ever move from the left to the right.
        if newest is not None and key in newest.keys:
            return True
        if any(key in each.keys for each in self._sealed):
            return True
        first, second = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
        return any(run.has(first, second) for run in reversed(self._runs))

    def __len__(self) -> int:
        newest = len(self._newest.keys) if self._newest is not None else 0
        sealed = sum(len(each.keys) for each in self._sealed)
        return newest + sealed + sum(run.count for run in self._runs)

    def make_room(self, received_at: float) -> None:
        """Make sure that a key that came at `received_at` (epoch seconds) can be written down.

        Raises:
            OSError: the disk refused; the body must not be acknowledged.
        """
        self._keep_time(received_at)
        if self._newest is not None and len(self._newest.keys) >= self._max_in_memory:
            self._seal()
        newest = self._newest or self._begin(_span_of(received_at))
        newest.make_room()

    def add(self, key: bytes) -> None:
        """Remember a key for which room was made."""
        if self._newest is None:
            raise RuntimeError("add before make_room")
        self._newest.add(key)

    def recall(self, key: bytes, received_at: float) -> None:
        """Remember a key of a body that is read back, if it is not known."""
        if key in self:
            return
        self._keep_time(received_at)
        if self._newest is None:
            self._begin(_span_of(received_at))
        self.add(key)

    def sync(self) -> None:
        """Make what was added survive a power cut: the journal is about to forget it.

        Raises:
            OSError: the disk refused.
        """
        with self._lock:
            for each in (*self._sealed, self._newest):
                if each is not None:
                    each.sync()

    def close(self) -> None:
        """End sorting and close the files; what is not sorted is sorted by the next process."""
        self._is_closing = True
        if self._sorter is not None:
            self._sorter.shutdown(wait=True)
        if self._newest is not None:
            with contextlib.suppress(OSError):
                self._newest.sync()
            self._newest.close()
        for run in self._runs:
            run.close()
        self._newest, self._sealed, self._runs = None, (), ()

    # -- time ---------------------------------------------------------------------------------

    def _keep_time(self, now: float) -> None:
        span = _span_of(now)
        newest = self._newest
        if newest is not None and span == newest.hour // SPAN_HOURS:
            return
        with self._lock:
            if newest is not None and span > newest.hour // SPAN_HOURS:
                self._seal()
            self._call_it_now(span)
            self._forget(now)

    def _call_it_now(self, span: int) -> None:
        """The clock was set back: nothing can have come later than about now."""
        latest_hour = (span + 1) * SPAN_HOURS
        for each in (*self._sealed, self._newest):
            if each is not None and each.hour > latest_hour:
                each.rename(latest_hour)
        self._runs = tuple(
            self._renamed(run, latest_hour) if run.hour > latest_hour else run for run in self._runs
        )

    def _renamed(self, run: KeyRun, hour: int) -> KeyRun:
        path = run_path(self._folder, hour, run.number, run.count)
        run.path.replace(path)
        return KeyRun(path)

    def _forget(self, now: float) -> None:
        def is_old(hour: int) -> bool:
            return (hour // SPAN_HOURS + 1) * SPAN_S <= now - REMEMBERED_S

        kept: tuple[KeyLog | KeyRun, ...] = (*self._sealed, *self._runs)
        for each in kept:
            if is_old(each.hour):
                each.path.unlink(missing_ok=True)
        self._sealed = tuple(each for each in self._sealed if not is_old(each.hour))
        self._runs = tuple(run for run in self._runs if not is_old(run.hour))
        if self._newest is not None and is_old(self._newest.hour):
            self._newest.close()
            self._newest.path.unlink(missing_ok=True)
            self._newest = None

    # -- from set to sorted file --------------------------------------------------------------

    def _begin(self, span: int) -> KeyLog:
        with self._lock:
            self._newest = KeyLog(self._folder, span * SPAN_HOURS, self._next_number)
            self._next_number += 1
            return self._newest

    def _seal(self) -> None:
        """Let the newest set be sorted; another one is begun when it is needed."""
        while len(self._sealed) >= MAX_SEALED:
            self._sort_oldest()
        with self._lock:
            if self._newest is not None:
                self._newest.close()
                self._sealed = (*self._sealed, self._newest)
            self._newest = None
        self._tidy_behind()

    def _tidy_behind(self) -> None:
        if self._sorter is None:
            self._sorter = ThreadPoolExecutor(1, thread_name_prefix="retry-keys")
        self._sorter.submit(self._tidy)

    def _tidy(self) -> None:
        try:
            while not self._must_stop() and (runs := self._to_merge()):
                self._merge(runs)
        except InterruptedError:
            return
        except Exception as error:  # nobody waits for this thread; the keys are known meanwhile
            log.warning("retry keys could not be sorted; tried again later", error=repr(error))

    def _must_stop(self) -> bool:
        """Whether merging has to end; what waits in memory goes first, also during a long merge."""
        while self._sealed and not self._is_closing:
            self._sort_oldest()
        return self._is_closing

    def _sort_oldest(self) -> None:
        with self._lock:
            if not self._sealed:
                return
            sealed = self._sealed[0]
            hour = sealed.hour
        first, second = sort_keys(b"".join(sealed.keys))
        made = self._write(hour, len(first), iter([(first, second)]))
        with self._lock:
            if sealed in self._sealed and sealed.hour == hour:
                self._runs = (*self._runs, made)  # first: it must be found at every moment
                self._sealed = tuple(each for each in self._sealed if each is not sealed)
                sealed.path.unlink(missing_ok=True)
            else:  # forgotten, renamed or sorted by the other thread meanwhile
                made.path.unlink(missing_ok=True)

    def _to_merge(self) -> list[KeyRun]:
        """Runs that should be one: all of a span that is over, or enough of about one size."""
        newest = self._newest
        spans: dict[int, list[KeyRun]] = {}
        for run in self._runs:
            spans.setdefault(run.hour // SPAN_HOURS, []).append(run)
        for span, runs in spans.items():
            if newest is not None and span < newest.hour // SPAN_HOURS and len(runs) > 1:
                return runs
            tiers: dict[int, list[KeyRun]] = {}
            for run in runs:
                tiers.setdefault(self._tier_of(run), []).append(run)
            full = [tier for tier in tiers.values() if len(tier) >= TIER_RUNS]
            if full:
                return full[0]
        return []

    def _tier_of(self, run: KeyRun) -> int:
        return max(round(math.log(run.count / self._max_in_memory, TIER_RUNS)), 0)

    def _merge(self, runs: list[KeyRun]) -> None:
        hour, count = max(run.hour for run in runs), sum(run.count for run in runs)
        made = self._write(hour, count, merged(runs, self._must_stop))
        with self._lock:
            if all(run in self._runs for run in runs):
                self._runs = (*(run for run in self._runs if run not in runs), made)
            else:  # forgotten, or renamed, meanwhile
                runs = [made]
        for run in runs:
            run.path.unlink(missing_ok=True)

    def _write(self, hour: int, count: int, parts: Iterator[tuple[Halves, Halves]]) -> KeyRun:
        with self._lock:
            number = self._next_number
            self._next_number += 1
        return write_run(run_path(self._folder, hour, number, count), count, parts)


def _span_of(now: float) -> int:
    return int(now // SPAN_S)
