"""Keys of hops that are not understood and left out: which, for who sends them and who looks.

They are looked for in three lines of each body, so that it costs next to nothing: a sender that
calls a key otherwise does so in each line. Values are never looked at, shown or kept.
"""

from __future__ import annotations

import difflib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from streamgauge.model.clock import Clock
from streamgauge.model.unmapped import Unmapped
from streamgauge.receive.influx.series import ROUTER_TAGS, VERSION_TAGS

HEADER = "Streamgauge-Left-Out"
"""Of answers: keys that were not understood, with commas between."""
WAY = "hops"
_WORDS = ("tenant", "source", "integration", "pipeline", "stage", "outcome", "reason", "error")
_NUMBERS = ("latency_s", "latency_ms", "queue_s", "queue_ms", "bytes", "count")
KNOWN = frozenset(("id", "time", *_WORDS, *_NUMBERS, *ROUTER_TAGS, *VERSION_TAGS))
MAX_KEYS = 100
"""Remembered; of more, those seen last longest ago are forgotten."""
MAX_NAMED = 20
_MAX_CHARACTERS = 60
_MAX_LINE_BYTES = 16_384


@dataclass(slots=True)
class _Key:
    first_at: float
    last_at: float
    body_count: int = 0


class LeftOut:
    """By key. Threads may share it; nothing is kept over a restart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, _Key] = {}
        self._lock = threading.Lock()

    def note(self, keys: Sequence[str]) -> None:
        """A body has these."""
        if not keys:
            return
        now = self._clock.now()
        with self._lock:
            for name in keys:
                one = self._keys.pop(name) if name in self._keys else _Key(now, now)
                self._keys[name] = one
                one.last_at, one.body_count = now, one.body_count + 1
            for old in list(self._keys)[: max(len(self._keys) - MAX_KEYS, 0)]:
                del self._keys[old]

    def list_unmapped(self) -> list[Unmapped]:
        """Those seen last first."""
        with self._lock:
            found = list(self._keys.items())
        return [
            Unmapped(
                name=name,
                way=WAY,
                series_count=one.body_count,
                samples=(),
                first_at=one.first_at,
                last_at=one.last_at,
                proposal="",
                advice=advice(name),
            )
            for name, one in reversed(found)
        ]


def keys_left_out(body: bytes) -> list[str]:
    """Keys of the first line, of one in the middle and of the last that are not understood.

    Args:
        body: NDJSON; lines that cannot be read have none.
    """
    found: dict[str, None] = {}
    for line in _some_lines(body):
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(told, dict):
            found |= dict.fromkeys(key[:_MAX_CHARACTERS] for key in told if key not in KNOWN)
    return list(found)[:MAX_NAMED]


def _some_lines(body: bytes) -> Iterator[bytes]:
    end = len(body.rstrip())
    starts = (0, body.rfind(b"\n", 0, end // 2) + 1, body.rfind(b"\n", 0, end) + 1)
    for start in dict.fromkeys(starts):
        stop = body.find(b"\n", start, end)
        line = body[start : end if stop < 0 else stop]
        if len(line) <= _MAX_LINE_BYTES:
            yield line


def header_of(keys: Sequence[str]) -> dict[str, str]:
    """What the sender is told; nothing where all is understood."""
    return {HEADER: ", ".join(quote(key, safe=" /:@") for key in keys)} if keys else {}


def advice(name: str) -> str:
    """What to do about a key, for people."""
    plain = name.lower().replace("-", "_").replace(".", "_")
    near = difflib.get_close_matches(plain, KNOWN, 1, cutoff=0.75)
    guess = f"is `{near[0]}` meant? " if near else ""
    return f"{guess}A hop has the keys {', '.join(sorted(KNOWN))}; others are left out."
