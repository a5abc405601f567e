"""What the machine gives us: processors, memory, the room on a disk; control groups included."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_UNLIMITED = 1 << 60


def memory_limit_bytes() -> int:
    """Of the machine, or of our control group if that is less.

    Source: Linux, Documentation/admin-guide/cgroup-v2.rst (memory.max); cgroup-v1/memory.rst.
    """
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in (*_group_files("memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        text = _read(path)
        if text.isdigit() and int(text) < _UNLIMITED:
            limits.append(int(text))
    return min(limits)


def cpu_limit() -> float:
    """Processors that we may use: those we are bound to, or our control group's quota."""
    count = float(len(os.sched_getaffinity(0)))
    for path in _group_files("cpu.max"):
        quota, _, period = _read(path).partition(" ")
        if quota.isdigit() and period.isdigit() and int(period):
            count = min(count, int(quota) / int(period))
    return count


def free_bytes(folder: Path) -> int:
    """Room on the file system of a folder, or of what would hold it.

    Raises:
        OSError: it cannot be asked.
    """
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def resident_bytes(root_pid: int | None = None) -> int:
    """Of a process, by default this one, and of those it started."""
    page = os.sysconf("SC_PAGE_SIZE")
    family, sizes = {root_pid or os.getpid()}, dict[int, int]()
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        stat = _read(folder / "stat").rpartition(")")[2].split()
        if len(stat) > 21:
            parents[int(folder.name)] = int(stat[1])
            sizes[int(folder.name)] = int(stat[21]) * page
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(sizes.get(pid, 0) for pid in family)


def _group_files(name: str) -> list[Path]:
    """The file of our control group and of those above it."""
    own = next(
        (line[3:] for line in _read(Path("/proc/self/cgroup")).splitlines() if line[:3] == "0::"),
        "/",
    )
    folder = Path("/sys/fs/cgroup") / own.strip("/")
    return [one / name for one in (folder, *folder.parents) if "cgroup" in one.parts]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
