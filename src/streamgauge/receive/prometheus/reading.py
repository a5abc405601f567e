"""One body of remote write on its way from bytes to numbers and histograms: see `decoding`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.measured import Codes, Floats, Ints, Measured, Numbers, Series
from streamgauge.receive.prometheus import wire
from streamgauge.receive.prometheus.joining import joined
from streamgauge.receive.prometheus.known import BadSeries, KnownSeries, checked
from streamgauge.receive.prometheus.native import (
    BadHistogram,
    Native,
    check_histogram,
    read_native,
)
from streamgauge.receive.prometheus.refusing import Refusals, nanoseconds, only, without_bad_stamps
from streamgauge.receive.prometheus.samples import (
    SAMPLE,
    ZERO,
    is_stale,
    read_in_place,
    read_samples,
)
from streamgauge.receive.prometheus.trail import NOBODY, Stretch, side_by_side

MAX_SERIES = 100_000
MAX_SAMPLES = 1_000_000
"""Of one body; senders put a few thousand of either into one."""
MAX_ODD = 16
"""After so many series that stand otherwise than before, all others are looked up."""

_AT_ONCE = 10_000
"""Series that are cut up at a time, so that a large body takes little more memory than it has."""
_LABEL, _SAMPLE = b"\x0a", b"\x12"
"""The tags of fields 1 and 2 of a `TimeSeries`."""
_SERIES = 0x0A
"""The tag of a `TimeSeries` in a `WriteRequest`."""
_UNPRINTABLE = dict.fromkeys((*range(32), 127), " ")
_SAMPLE_ON = SAMPLE + 1
_ZERO_ON = ZERO + 1
"""With the length before it."""
_LENGTH_BYTES = 4
"""Of the length of a series; a longer one is left to the library."""
_SAMPLE_LENGTH, _ZERO_LENGTH = bytes((SAMPLE,)), bytes((ZERO,))
Octets = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as it was understood."""

    measured: Measured
    rejected: Sequence[RejectedLine] = ()
    rejected_count: int = 0
    exemplar_count: int = 0
    """Exemplars, which are not kept."""


class Reading:
    """First `follow`, then `read` what is left; then it is `decoded`."""

    def __init__(self, plain: bytes, known: KnownSeries, known_natives: KnownSeries) -> None:
        self._plain, self._known, self._known_natives = plain, known, known_natives
        self._body = np.frombuffer(plain, np.uint8)
        self._table, self._native_table = known.table(), known_natives.table()
        self._at = self._begin = 0
        """Up to where it is read, and where the labels begin of what stands there."""
        self.series_count = 0
        """So far."""
        self._alike: list[Stretch] = []
        """Series that are told by one sample each, which is read where it stands."""
        self._is_new = False
        """Whether anything stands otherwise than in a body that is remembered."""
        self._numbers: list[int] = []
        self._bodies: list[bytes] = []
        """All other samples, and the series of each."""
        self._elsewhere: list[tuple[Octets, list[Stretch]]] = []
        """As `_alike`, but standing in bytes of their own."""
        self._natives: list[tuple[Series, Native]] = []
        self._refusals = Refusals()
        self._exemplar_count = 0

    # -- as it stood before -------------------------------------------------------------------

    def follow(self) -> None:
        """Go along what is known to stand side by side, as far as that leads."""
        trail, odd_count = self._table.trail, 0
        while odd_count < MAX_ODD and (end := self._next_end()):
            number, is_zero = self._number_of(end)
            if number < 0:
                return
            found = trail.follow(self._body, self._at, number)
            if not len(found.ends):
                odd_count += 1
                self._is_new = True
                found = _alone(number, end, is_zero=is_zero)
            self._alike.append(found)
            self._at = int(found.ends[-1])
            self.series_count += len(found.ends)

    def _next_end(self) -> int:
        """Where the series ends that comes next; 0: none does, or the library may tell."""
        head = self._plain[self._at : self._at + 1 + _LENGTH_BYTES]
        if not head or head[0] != _SERIES:
            return 0
        length = 0
        for place, octet in enumerate(head[1:]):
            length |= (octet & 0x7F) << 7 * place
            if octet < 0x80:
                self._begin = self._at + place + 2
                end = self._begin + length
                return end if end <= len(self._plain) else 0
        return 0

    def _number_of(self, end: int) -> tuple[int, bool]:
        """Of the series up to there, if it is told by one sample; and whether that is ZERO long."""
        part, find = self._plain[self._begin : end], self._table.numbers.get
        if part[-_SAMPLE_ON:-SAMPLE] == _SAMPLE_LENGTH:
            number = find(part[:-_SAMPLE_ON], NOBODY)
            if number >= 0:
                return number, False
        if part[-_ZERO_ON:-ZERO] == _ZERO_LENGTH:
            return find(part[:-_ZERO_ON], NOBODY), True
        return NOBODY, False

    def rest(self) -> bytes:
        """What is left to be read; a part of a `WriteRequest` is one."""
        return self._plain[self._at :] if self._at else self._plain

    # -- as the library splits it -------------------------------------------------------------

    def read(self, parts: Sequence[bytes]) -> None:
        """Read what was left.

        Raises:
            BodyTooLarge: there are more series, or more samples, than are taken at once.
            DecodeError: one of them is not protobuf.
        """
        self.series_count += len(parts)
        if self.series_count > MAX_SERIES:
            raise BodyTooLarge("series of one body", self.series_count, MAX_SERIES)
        if not parts:
            return
        body, ends = self._body, self._at + _ends(parts)
        if ends[-1] == len(body):
            to, self._is_new = self._alike, True
        else:  # there is something between them
            body, ends = np.frombuffer(b"".join(parts), np.uint8), np.cumsum(list(map(len, parts)))
            to = []
            self._elsewhere.append((body, to))
        for start in range(0, len(parts), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            to.append(self._read_some(parts[some], body, ends[some]))

    def _read_some(self, parts: Sequence[bytes], body: Octets, ends: Ints) -> Stretch:
        heads = [part[:-_SAMPLE_ON] for part in parts]
        found = map(self._table.numbers.get, heads, repeat(NOBODY))
        numbers = np.fromiter(found, np.int32, len(parts))
        if len(body):
            numbers[body[np.maximum(ends - _SAMPLE_ON, 0)] != SAMPLE] = NOBODY
        is_zero = np.zeros(len(parts), bool)
        for at in np.flatnonzero(numbers < 0).tolist():
            numbers[at] = self._take_other(parts[at])
            is_zero[at] = numbers[at] >= 0
        return Stretch(numbers, ends, is_zero)

    def _take_other(self, part: bytes) -> int:
        """Take in what is not told by one SAMPLE; the number of what is told by one ZERO."""
        if part[-_ZERO_ON:-ZERO] == _ZERO_LENGTH:
            number = self._table.numbers.get(part[:-_ZERO_ON], NOBODY)
            if number >= 0:
                return number
        self._take_apart(part)
        return NOBODY

    def _take_apart(self, part: bytes) -> None:
        message = wire.TimeSeries.FromString(part)
        sample_count = len(message.samples) + len(message.histograms)
        if len(self._bodies) + sample_count > MAX_SAMPLES:
            raise BodyTooLarge("samples of one body", len(self._bodies) + sample_count, MAX_SAMPLES)
        self._exemplar_count += len(message.exemplars)
        try:
            number, key = self._series_of(message.labels)
        except BadSeries as error:
            line = _text(b" ".join(message.labels[:20])).translate(_UNPRINTABLE)
            self._refusals.add(line, str(error), error.reason, at=self._place, count=sample_count)
            return
        self._bodies.extend(message.samples)
        self._numbers.extend([number] * len(message.samples))
        for histogram in message.histograms:
            self._take_histogram(self._table.roster[number], key, histogram)

    @property
    def _place(self) -> int:
        return len(self._bodies) + self._refusals.count

    def _series_of(self, told: Sequence[bytes]) -> tuple[int, bytes]:
        """The number of the series, and what stands before a sample of it."""
        labels = checked(told)
        key = _spelled(labels) + _SAMPLE
        number = self._known.find(self._table, key)
        if number < 0:
            number = self._known.add(self._table, key, self._known.read(labels))
        return number, key

    def _take_histogram(self, series: Series, key: bytes, body: bytes) -> None:
        try:
            check_histogram(body)
            native = read_native(wire.Histogram.FromString(body))
        except BadHistogram as error:
            self._refusals.add(series.name, f"native histogram: {error}", at=self._place)
            return
        key += bytes((native.form,))
        known, table = self._known_natives, self._native_table
        found = known.find(table, key)
        if found < 0:
            found = known.add(table, key, replace(series, form=native.form))
        self._natives.append((table.roster[found], native))

    # -- all of it ----------------------------------------------------------------------------

    def decoded(self, received_at_ns: int) -> Decoded:
        """What the body says.

        Args:
            received_at_ns: our clock, to refuse time stamps that are too far ahead of it.

        Raises:
            DecodeError: a sample is not protobuf.
        """
        numbers = without_bad_stamps(self._all_numbers(), received_at_ns, self._refusals)
        histograms = joined(self._natives, received_at_ns, self._refusals)
        return Decoded(
            Measured(numbers, histograms),
            self._refusals.told,
            self._refusals.count,
            self._exemplar_count,
        )

    def _all_numbers(self) -> Numbers:
        of, value, time_ms = self._samples()
        time_ns = nanoseconds(time_ms)
        roster = self._table.roster
        numbers = Numbers(roster, of, time_ns, np.zeros(len(of), np.int64), value)
        is_end = is_stale(value)
        if not is_end.any():
            return numbers
        return replace(only(numbers, ~is_end), ended=of[is_end], ended_ns=time_ns[is_end])

    def _samples(self) -> tuple[Codes, Floats, Ints]:
        """Series, value and time of each; those that are read where they stand come first."""
        found = []
        for body, parts in ((self._body, self._alike), *self._elsewhere):
            told = side_by_side(parts)
            if self._is_new and body is self._body:
                self._table.trail.keep(body, told)
            told = told.known()
            found.append((told.numbers, *read_in_place(body, told.ends, told.is_zero)))
        if self._bodies:
            found.append((np.array(self._numbers, np.int32), *read_samples(self._bodies)))
        if len(found) == 1:
            return found[0]
        numbers, value, time_ms = zip(*found, strict=True)
        return np.concatenate(numbers), np.concatenate(value), np.concatenate(time_ms)


def _alone(number: int, end: int, *, is_zero: bool) -> Stretch:
    return Stretch(np.array([number], np.int32), np.array([end]), np.array([is_zero]))


def _ends(parts: Sequence[bytes]) -> Ints:
    """Where each of them ends in what they were split from, if there was nothing else in it."""
    length = np.fromiter(map(len, parts), np.int64, len(parts))
    prefix = np.full(len(parts), 2, np.int64)
    for bits in (7, 14, 21, 28):
        prefix += length >= 1 << bits
    return np.cumsum(length + prefix)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


def _spelled(labels: list[bytes]) -> bytes:
    return b"".join([piece for label in labels for piece in (_label_head(len(label)), label)])


def _label_head(length: int) -> bytes:
    """What stands before a label of so many bytes."""
    return _SHORT[length] if length < len(_SHORT) else _LABEL + _varint(length)


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)


_SHORT = [_LABEL + _varint(length) for length in range(1024)]
