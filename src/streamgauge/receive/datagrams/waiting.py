"""What was read off a socket and waits for the parser: joined to bodies, bounded in bytes.

Datagrams are copied to the end of the body that is filling; there is no object for each of them.
A body is sealed when it is full; the keeper also seals what has waited for a while. Lives on one
event loop.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field

MAX_LINES = 10_000
"""Lines of a body, more or less: a datagram is never split."""
MAX_BODY_BYTES = 1_000_000
"""Of a body, as above."""
MAX_WAITING_BYTES = 16_000_000
"""Of all that waits; beyond it datagrams are dropped and streams held back."""

_QUOTE_IN_KEY = re.compile(rb'^[ \t\0]*+[^ \t\0\n]*"', re.MULTILINE)
_WHOLE_STRING = re.compile(rb'="[^"\n]*+"(?=[, \r\n]|\Z)')


@dataclass(slots=True)
class Body:
    """Datagrams, or lines of streams, that are kept together."""

    since: float
    """Epoch seconds when its first piece came: what lines without a time stamp mean by now."""
    content: bytearray = field(default_factory=bytearray)
    piece_count: int = 0
    """Datagrams, or lines of a stream: what is counted if the body is lost."""
    line_count: int = 0


class Waiting:
    """Bodies in the order in which they came."""

    def __init__(self, max_waiting_bytes: int = MAX_WAITING_BYTES) -> None:
        self._max_waiting_bytes = max_waiting_bytes
        self._sealed: deque[Body] = deque()
        self._filling: Body | None = None
        self._bytes = 0
        self.has_some = asyncio.Event()
        self.is_due = asyncio.Event()
        """Something is sealed: do not wait for more."""
        self._has_room = asyncio.Event()
        self._has_room.set()

    def add(self, data: bytes | memoryview, now: float, piece_count: int = 1) -> bool:
        """Put a piece at the end; whether there was room for it.

        Args:
            data: a datagram, or whole lines of a stream.
            now: epoch seconds.
            piece_count: what it counts for if it is lost.
        """
        if self._bytes + len(data) > self._max_waiting_bytes:
            self._has_room.clear()
            return False
        text = bytes(data)
        is_alone = _may_reach_over(text)
        if is_alone:
            self.seal()
        body = self._filling = self._filling or Body(now)
        body.content += text
        body.content += b"\n"
        body.piece_count += piece_count
        body.line_count += text.count(b"\n") + 1
        self._bytes += len(text) + 1
        is_full = body.line_count >= MAX_LINES or len(body.content) >= MAX_BODY_BYTES
        if is_alone or is_full:
            self.seal()
        self.has_some.set()
        return True

    async def room(self) -> None:
        """Wait until there is room again; for those who can be held back."""
        await self._has_room.wait()

    def seal(self) -> None:
        """Let nothing more into the body that is filling."""
        if self._filling is not None:
            self._sealed.append(self._filling)
            self._filling = None
            self.is_due.set()

    def first(self) -> Body | None:
        """The oldest sealed body; it stays until `done`."""
        return self._sealed[0] if self._sealed else None

    def done(self) -> None:
        """Forget the oldest sealed body."""
        self._bytes -= len(self._sealed.popleft().content)
        self._has_room.set()
        if not self._sealed:
            self.is_due.clear()
            if self._filling is None:
                self.has_some.clear()


def _may_reach_over(text: bytes) -> bool:
    """Whether a string may be open at its end, which could swallow what others sent behind it.

    Such a piece becomes a body of its own: one that is cut off or broken, or has quotes in its
    tags, escaped ones, or a line break between two.
    """
    if b'"' not in text:
        return False
    if b"\\" in text or _QUOTE_IN_KEY.search(text):
        return True
    return b'"' in _WHOLE_STRING.sub(b"", text)
