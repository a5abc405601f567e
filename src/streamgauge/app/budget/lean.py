"""Keeps our own process small and quick: what it allocates is given back, what it does not need is
left out, and a question does not wait long behind those who parse.

The numbers are those of a load of 100,000 series: `python -m bench memory`.
"""

from __future__ import annotations

import asyncio
import ctypes
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

GIVE_BACK_EVERY_S = 10.0
SWITCH_EVERY_S = 0.0005
"""At Python's own 5 ms a question that changes threads ten times beside two parsers waits 100 ms:
beside 50,000 lines a second its p99 was above 150 ms, and is below 70 (`bench underload`)."""
_ARENAS = 2
"""Every thread's arena keeps what was freed in it; few of them are used again sooner."""
_MMAP_FROM_BYTES = 4 * 1024**2
"""Larger pieces go back to the system as soon as they are freed."""
_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Source: mallopt(3), malloc.h of the GNU C library."""


class _WithoutPandas(MetaPathFinder):
    """Arrow and ClickHouse's driver read pandas (27 MB) when it is there; nothing of ours does."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Nothing is found; pandas is not looked for any further."""
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out", name=fullname)
        return None


def leave_out_pandas() -> None:
    """From now on in this process, unless it has been read already."""
    if not any(isinstance(finder, _WithoutPandas) for finder in sys.meta_path):
        sys.meta_path.insert(0, _WithoutPandas())


def allocate_sparingly() -> None:
    """Have Arrow and the C library keep little of what is freed.

    Arrow's own allocator kept 300 MB more in huge pages.
    """
    import pyarrow as pa

    pa.set_memory_pool(pa.system_memory_pool())
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_ARENA_MAX, _ARENAS)
        libc.mallopt(_M_MMAP_THRESHOLD, _MMAP_FROM_BYTES)


def switch_often() -> None:
    """Let threads take turns more often than Python does by itself."""
    sys.setswitchinterval(SWITCH_EVERY_S)


def give_back() -> None:
    """Return to the system what was freed."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)


async def give_back_often() -> None:
    """Every few seconds, until cancelled."""
    while True:
        await asyncio.sleep(GIVE_BACK_EVERY_S)
        await asyncio.to_thread(give_back)
