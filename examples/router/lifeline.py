"""A process that never outlives the one that started it, not even when that one is killed.

`python -m examples.router.lifeline PARENT_PID COMMAND…` becomes COMMAND, which the kernel kills
when the process PARENT_PID, having started it, ends in whatever way (Linux only).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""Source: prctl(2): kept over execve(2)."""


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before we could ask
        os._exit(1)


def main() -> None:
    """Bind to the parent, then become the command."""
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    die_with(parent_pid)
    os.execv(command[0], command)  # noqa: S606 - no shell is what we want


if __name__ == "__main__":
    main()
