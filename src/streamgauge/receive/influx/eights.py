"""Reads short decimal numbers with a dozen operations over all of them, eight bytes at a time.

Most numbers that are sent are short. Eight characters make one integer of 64 bits, in which three
multiplications add neighbouring digits up; an array of them takes a fraction of the time that a
parser of strings needs. Whatever is not as simple as that is left to such a parser: None.

Source: the method is simdjson's, `parse_eight_digits_unrolled` and `is_made_of_eight_digits_fast`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.influx.blanks import Bytes, Positions

Words = NDArray[np.uint64]
"""Eight characters each, the first one in the lowest byte."""

_EIGHT = 8
_ZEROS = np.uint64(0x3030303030303030)
_FULL = 2**64 - 1
_KEEP = np.array([_FULL ^ (_FULL >> 8 * n) for n in range(9)], np.uint64)
"""By length: the bytes at the end of a word that belong to the number."""
_PAD = ~_KEEP & _ZEROS
"""By length: zeros in the place of all others."""
_TENS = 10.0 ** np.arange(9)
_LONGEST, _MAX_HIGHEST = 19, 921
"""Digits of a time stamp; up to so many 10^16 fit into 64 bits with whatever follows."""


def whole_numbers(data: Bytes, start: Positions, end: Positions) -> NDArray[np.int64] | None:
    """The numbers data[start:end], if each of them is one to eight digits and nothing else."""
    words = _padded(data, start, end)
    if words is None or not _are_digits(words):
        return None
    return _values(words)


def decimals(data: Bytes, start: Positions, end: Positions) -> NDArray[np.float64] | None:
    """The numbers data[start:end], if each is digits with at most one dot, in eight characters.

    They are exactly those that a parser of strings finds: so few digits and the power of ten are
    exact, and the division is rounded once.
    """
    words = _padded(data, start, end)
    if words is None:
        return None
    dots = words ^ np.uint64(0x2E2E2E2E2E2E2E2E)
    marks = (dots - np.uint64(0x0101010101010101)) & ~dots & np.uint64(0x8080808080808080)
    # 256 to the place of the first dot.
    first = _once_if_alike((marks & (~marks + np.uint64(1))) >> np.uint64(7))
    has_dot = first != 0
    below = first - np.uint64(1)
    above = ~((first << np.uint64(8)) - np.uint64(1))
    closed = (words & above) | ((words & below) << np.uint64(8)) | np.uint64(0x30)
    words = np.where(has_dot, closed, words)
    if not _are_digits(words) or (end - start - has_dot).min() < 1:
        return None
    place = np.frexp(first.astype(np.float64))[1] >> 3
    return _values(words) / _TENS[np.where(has_dot, _EIGHT - 1 - place, 0)]


def stamps(data: Bytes, start: Positions, end: Positions) -> NDArray[np.int64] | None:
    """The numbers data[start:end], if all have the same count of 9 to 19 digits."""
    if not len(start):
        return None
    length = int(end[0] - start[0])
    if not _EIGHT < length <= _LONGEST or not (end - start == length).all() or end[0] < 3 * _EIGHT:
        return None
    found = np.zeros(len(start), np.int64)
    for place in range(0, length, _EIGHT):
        size = min(length - place, _EIGHT)
        words = _once_if_alike(_words(data)[end - (place + _EIGHT)])
        words = (words & _KEEP[size]) | _PAD[size]
        values = _values(words)
        if not _are_digits(words) or (place == 2 * _EIGHT and values.max() > _MAX_HIGHEST):
            return None
        found += values * 10**place
    return found


def are_all(data: Bytes, start: Positions, text: bytes) -> bool:
    """Whether `text` stands at all these positions (ascending, all of it inside the data)."""
    for at in range(0, len(text), _EIGHT):
        piece = text[at : at + _EIGHT]
        if start[-1] + at + _EIGHT > len(data):
            if not all((data[start + at + n] == byte).all() for n, byte in enumerate(piece)):
                return False
            continue
        shift = np.uint64(8 * (_EIGHT - len(piece)))
        wanted = np.frombuffer(piece.rjust(_EIGHT, b"\0"), np.dtype("<u8"))[0]
        if not (_words(data)[start + at] << shift == wanted).all():
            return False
    return True


def _words(data: Bytes) -> Words:
    """The eight bytes from every position on."""
    return np.ndarray((len(data) - _EIGHT + 1,), np.dtype("<u8"), data.data, strides=(1,))


def _padded(data: Bytes, start: Positions, end: Positions) -> Words | None:
    """Each number as one word with zeros before it; None: one of them is empty or longer."""
    length = end - start
    if not len(end) or end[0] < _EIGHT or length.min() < 1 or length.max() > _EIGHT:
        return None
    padded: Words = (_words(data)[end - _EIGHT] & _KEEP[length]) | _PAD[length]
    return padded


def _once_if_alike(words: Words) -> Words:
    """One of them, if they are all the same: the highest digits of time stamps, the dot's place."""
    return words[:1] if (words == words[0]).all() else words


def _are_digits(words: Words) -> bool:
    high = np.uint64(0xF0F0F0F0F0F0F0F0)
    carried = ((words + np.uint64(0x0606060606060606)) & high) >> np.uint64(4)
    return bool((((words & high) | carried) == np.uint64(0x3333333333333333)).all())


def _values(words: Words) -> NDArray[np.int64]:
    pairs = ((words & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(2561)) >> np.uint64(8)
    fours = ((pairs & np.uint64(0x00FF00FF00FF00FF)) * np.uint64(6553601)) >> np.uint64(16)
    eights = ((fours & np.uint64(0x0000FFFF0000FFFF)) * np.uint64(42949672960001)) >> np.uint64(32)
    return eights.view(np.int64)
