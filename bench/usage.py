"""What a process and its descendants use: processor time, memory, disk. Linux only."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LOOK_EVERY_S = 0.1


def cpu_s(pid: int) -> float:
    """Processor time, seconds, of a process and its descendants, also of those that have ended.

    Source: proc(5), `/proc/pid/stat`: utime, stime, and cutime, cstime of those that have ended.
    """
    return sum(_own_cpu_s(one) for one in processes(pid))


def _own_cpu_s(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(int(ticks) for ticks in stat[11:15]) / _TICKS_PER_S
    return 0.0


def processes(pid: int) -> Iterator[int]:
    """A process and its living descendants."""
    yield pid
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes(int(child))


def resident_bytes(pid: int) -> int:
    """Memory held now by a process and its descendants; what they share counts once.

    Source: proc(5), `/proc/pid/smaps_rollup`: the proportional set size.
    """
    return sum(_rolled_up_bytes(one, "Pss:") for one in processes(pid))


def anonymous_bytes(pid: int) -> int:
    """The same without pages of files, which the system takes back when it needs them."""
    return sum(_rolled_up_bytes(one, "Pss_Anon:") for one in processes(pid))


def _rolled_up_bytes(pid: int, name: str) -> int:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return 0


def disk_bytes(folder: Path) -> int:
    """What the files below a folder take of the disk; the server may remove some meanwhile."""
    total = 0
    for name, _, files in os.walk(folder):
        for one in files:
            with suppress(FileNotFoundError):
                total += os.lstat(Path(name, one)).st_blocks * 512
    return total


class Watched:
    """Looks at a process's memory while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid, self._stop = pid, threading.Event()
        self.peak_bytes = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while True:
            self.peak_bytes = max(self.peak_bytes, resident_bytes(self._pid))
            if self._stop.wait(LOOK_EVERY_S):
                return

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
