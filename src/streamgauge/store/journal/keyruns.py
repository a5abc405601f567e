"""Sorted files of retry keys: written once, asked by a search in a page, merged, deleted.

A file holds `count` keys as three arrays of little-endian 64-bit numbers: the first halves of the
keys in ascending order, the second halves in the same order, and the *fence*: every 512th first
half. Only the fence is held in memory (1.6 MB for 100 million keys), so that a key is looked
up by reading one page of each file, and none of it counts as memory of ours. A name carries the
hour, a number and the count; a file gets its name when it is whole.
"""

from __future__ import annotations

import itertools
import os
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Halves = NDArray[np.uint64]
PAGE_KEYS = 512
MERGE_KEYS = 1 << 20
"""Keys that a merge holds in memory at once."""
_WORD_BYTES = 8
_PAGE_BYTES = PAGE_KEYS * _WORD_BYTES
_SPACE = 1 << 64
SUFFIX = ".sorted"
UNFINISHED = ".new"


class KeyRun:
    """One file; its keys all came before a common hour was over."""

    def __init__(self, path: Path) -> None:
        """Open a finished file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not whole.
        """
        _, hour, number, count = path.stem.split("-")
        self.path, self.hour, self.number, self.count = path, int(hour), int(number), int(count)
        self._descriptor = os.open(path, os.O_RDONLY)
        page_count = -(-self.count // PAGE_KEYS)
        if os.fstat(self._descriptor).st_size != (2 * self.count + page_count) * _WORD_BYTES:
            self.close()
            raise ValueError(f"{path} is not whole")
        self._fence = array("Q", self._read(2 * self.count, page_count))

    def has(self, first: int, second: int) -> bool:
        """Whether a key is in it, given as its halves."""
        page = bisect_right(self._fence, first) - 1
        if page < 0:
            return False
        halves = memoryview(self._page(page)).cast("Q")
        at = bisect_left(halves, first)
        if at == len(halves) or halves[at] != first:
            return False
        return self._has_second(page * PAGE_KEYS + at, first, second)

    def _page(self, page: int) -> bytes:
        end = min((page + 1) * _PAGE_BYTES, self.count * _WORD_BYTES)
        return os.pread(self._descriptor, end - page * _PAGE_BYTES, page * _PAGE_BYTES)

    def _has_second(self, at: int, first: int, second: int) -> bool:
        """Two keys with one first half are as good as impossible, but cost nothing to tell."""
        while at < self.count and self._word(at) == first:
            if self._word(self.count + at) == second:
                return True
            at += 1
        return False

    def _word(self, at: int) -> int:
        return int.from_bytes(self._read(at, 1), "little")

    def _read(self, start: int, count: int) -> bytes:
        return os.pread(self._descriptor, count * _WORD_BYTES, start * _WORD_BYTES)

    def between(self, low: int, high: int) -> tuple[Halves, Halves]:
        """Both halves of the keys whose first one is in `low` ≤ first < `high`, sorted."""
        start, end = self._position(low), self._position(high)
        return (
            np.frombuffer(self._read(start, end - start), "<u8"),
            np.frombuffer(self._read(self.count + start, end - start), "<u8"),
        )

    def _position(self, first: int) -> int:
        """How many keys are below `first`."""
        if first >= _SPACE:
            return self.count
        page = max(bisect_left(self._fence, first) - 1, 0)
        return page * PAGE_KEYS + bisect_left(memoryview(self._page(page)).cast("Q"), first)

    def close(self) -> None:
        """Close the file; it is not asked any more."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def run_path(folder: Path, hour: int, number: int, count: int) -> Path:
    """The name of a run's file."""
    return folder / f"keys-{hour:09d}-{number:06d}-{count}{SUFFIX}"


def sort_keys(keys: bytes) -> tuple[Halves, Halves]:
    """Keys of 16 bytes each as sorted halves."""
    halves = np.frombuffer(keys, "<u8").reshape(-1, 2)
    order = np.argsort(halves[:, 0])
    return halves[order, 0], halves[order, 1]


def write_run(path: Path, count: int, parts: Iterator[tuple[Halves, Halves]]) -> KeyRun:
    """Write a run of `count` keys given in ascending parts; it survives a power cut.

    Raises:
        OSError: the disk refused; nothing is left of it.
    """
    unfinished = path.with_suffix(UNFINISHED)
    try:
        with unfinished.open("wb") as stream:
            _write_parts(stream.fileno(), count, parts)
            os.fsync(stream.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return KeyRun(path)


def _write_parts(descriptor: int, count: int, parts: Iterator[tuple[Halves, Halves]]) -> None:
    at, fence = 0, array("Q")
    for first, second in parts:
        _write(descriptor, first.tobytes(), at)
        _write(descriptor, second.tobytes(), count + at)
        fence.frombytes(first[-at % PAGE_KEYS :: PAGE_KEYS].tobytes())
        at += len(first)
    _write(descriptor, fence.tobytes(), 2 * count)


def _write(descriptor: int, content: bytes, start_word: int) -> None:
    view, at = memoryview(content), start_word * _WORD_BYTES
    while view:
        written = os.pwrite(descriptor, view, at)
        view, at = view[written:], at + written


def merged(
    runs: Sequence[KeyRun], must_stop: Callable[[], bool], part_keys: int = MERGE_KEYS
) -> Iterator[tuple[Halves, Halves]]:
    """The keys of several runs in ascending parts; the range of keys is cut evenly.

    Raises:
        InterruptedError: `must_stop` said so between two parts.
    """
    part_count = sum(run.count for run in runs) // part_keys + 1
    borders = [_SPACE * part // part_count for part in range(part_count + 1)]
    for low, high in itertools.pairwise(borders):
        if must_stop():
            raise InterruptedError
        pieces = [run.between(low, high) for run in runs]
        first = np.concatenate([piece[0] for piece in pieces])
        second = np.concatenate([piece[1] for piece in pieces])
        order = np.argsort(first, kind="stable")
        yield first[order], second[order]
