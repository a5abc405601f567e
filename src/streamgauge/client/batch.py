"""A batch: one body under one key, so that it counts once however often it is sent."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

LINE_PROTOCOL, HOPS = "text/plain; charset=utf-8", "application/x-ndjson"
MAX_ROWS = 5_000
MAX_BODY_BYTES = 1_000_000
"""Of one batch, unpacked; a longer single row still goes by itself."""
_GZIP_LEVEL = 1


class Row(NamedTuple):
    """A line of a body."""

    text: str
    messages: int
    """How many it counts."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent, and sent again byte for byte until it is taken."""

    key: str
    """The Idempotency-Key."""
    path: str
    """Of the request, with its query."""
    content_type: str
    messages: int
    """How many it counts."""
    body: bytes
    """Gzipped."""

    def encode(self) -> bytes:
        """The batch as a file."""
        head = {
            "key": self.key,
            "path": self.path,
            "content_type": self.content_type,
            "messages": self.messages,
            "bytes": len(self.body),
        }
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def decode(cls, data: bytes) -> Batch:
        """The reverse of `encode`.

        Raises:
            ValueError: it is none, or only a part of one.
        """
        head, _, body = data.partition(b"\n")
        try:
            told = json.loads(head)
            batch = cls(
                str(told["key"]),
                str(told["path"]),
                str(told["content_type"]),
                int(told["messages"]),
                body,
            )
            is_whole = int(told["bytes"]) == len(body)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no batch: {error!r}") from error
        if not is_whole:
            raise ValueError(f"a batch of {told['bytes']} bytes has {len(body)}")
        return batch


def batches(rows: Iterable[Row], path: str, content_type: str, key: str) -> Iterator[Batch]:
    """Rows in batches of a size that a server takes; their keys begin with `key`."""
    for number, chosen in enumerate(_parts(rows)):
        body = gzip.compress("".join(f"{row.text}\n" for row in chosen).encode(), _GZIP_LEVEL)
        messages = sum(row.messages for row in chosen)
        yield Batch(f"{key}-{number}", path, content_type, messages, body)


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    chosen: list[Row] = []
    size = 0
    for row in rows:
        if chosen and (len(chosen) >= MAX_ROWS or size + len(row.text) > MAX_BODY_BYTES):
            yield chosen
            chosen, size = [], 0
        chosen.append(row)
        size += len(row.text) + 1
    if chosen:
        yield chosen
