"""Cuts files of line protocol into bodies that a receiver takes, without reading them whole."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

from streamgauge.model.errors import PayloadError

CHUNK_BYTES = 4_000_000
"""Large enough that the fixed cost of a body does not count, small enough to keep memory flat."""


def read_chunks(paths: list[Path]) -> Iterator[tuple[Path, int, bytes]]:
    """Whole lines of each file in turn: file, number of the chunk's first line, bytes.

    `-` is standard input; gzip is known by its first two bytes, whatever the name.

    Raises:
        PayloadError: a file that cannot be read, or whose gzip is broken; names it.
    """
    for path in paths:
        try:
            yield from _read_file(path)
        except (OSError, EOFError, zlib.error) as error:
            words = getattr(error, "strerror", None) or str(error)
            raise PayloadError(f"{path}: cannot be read: {words}") from error


def _read_file(path: Path) -> Iterator[tuple[Path, int, bytes]]:
    with ExitStack() as stack:
        file = _open(path, stack)
        line_number, rest = 1, b""
        while block := file.read(CHUNK_BYTES):
            chunk, rest = _split_after_last_line(rest + block)
            if chunk:
                yield path, line_number, chunk
                line_number += chunk.count(b"\n")
        if rest:
            yield path, line_number, rest


def _open(path: Path, stack: ExitStack) -> IO[bytes]:
    number = os.open(path, os.O_RDONLY) if str(path) != "-" else os.dup(sys.stdin.fileno())
    raw = stack.enter_context(os.fdopen(number, "rb"))
    if raw.peek(2)[:2] == b"\x1f\x8b":
        unzipped = gzip.GzipFile(fileobj=raw)
        stack.callback(unzipped.close)
        return cast(IO[bytes], unzipped)
    return raw


def _split_after_last_line(block: bytes) -> tuple[bytes, bytes]:
    """Cut after the last line end that is not inside a quoted string."""
    end = block.rfind(b"\n") + 1
    while end and _is_inside_quotes(block, end):
        end = block.rfind(b"\n", 0, end - 1) + 1
    return block[:end], block[end:]


def _is_inside_quotes(block: bytes, end: int) -> bool:
    quotes = block.count(b'"', 0, end)
    return bool(quotes) and (quotes - block.count(b'\\"', 0, end)) % 2 == 1
