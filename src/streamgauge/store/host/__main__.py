"""The engine's process: `python -m streamgauge.store.host`, started by `EngineProcess` alone.

1. Read what to serve from standard input, one line of JSON.
2. Wait for a former process of this folder, tend the engine's log of inserts, open the engine,
   listen on a free port of the loopback, say which in one line of JSON.
3. Serve until standard input ends: the parent closes it to end us in order, and the system closes
   it when the parent is gone. A parent that was killed takes us with it at once.

Signals of the process group (a terminal's Ctrl-C, a service manager's SIGTERM) are the parent's
to act on: it still has lines to hand over.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.emptyparts import drop_empty
from streamgauge.store.engine.insertlog import forget_unfinished
from streamgauge.store.host.failures import Refused

_PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""


def main() -> int:
    """Serve; the exit code is 1 when the engine could not be opened."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    _die_with(order["parent"])
    if count := drop_empty(Path(order["path"])):
        print(f"{count} merges that a full disk cut short will be made again", file=sys.stderr)
    _wait_for_former(Path(order["path"]))
    from streamgauge.store.host.diskguard import guard  # the parent is known by now
    from streamgauge.store.host.server import EngineServer

    try:
        if count := forget_unfinished(Path(order["path"])):
            print(f"{count} inserts that a crash cut short will be made again", file=sys.stderr)
        at = ("127.0.0.1", 0)
        server = EngineServer(order["path"], order["password"], at, order["options"])
    except (Refused, StoreError, OSError, RuntimeError) as error:
        _say({"error": str(error)})
        return 1
    guard(Path(order["path"]), server.sessions)
    _say({"port": server.server_address[1]})
    serving = threading.Thread(target=server.serve_forever, name="serving")
    serving.start()
    sys.stdin.read()
    server.shutdown()
    serving.join()
    server.server_close()
    return 0


def _wait_for_former(path: Path) -> None:
    """Wait until a killed engine of this folder is gone: a slow disk may keep it for seconds.

    What it was doing then is still done, so that its parts may appear after we have looked. The
    system gives our lock back when this process is gone in its turn.
    """
    with suppress(OSError):  # a read-only disk: nobody has changed anything
        path.parent.mkdir(parents=True, exist_ok=True)
        fcntl.flock(os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o640), fcntl.LOCK_EX)


def _die_with(parent: int) -> None:
    """Be killed when the parent dies; it may have died before we asked for it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(1)


def _say(words: dict[str, object]) -> None:
    """The one line on standard output; what the engine prints later goes to the log."""
    print(json.dumps(words), flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    raise SystemExit(main())
