"""Remote write 1.0: the bytes of a `WriteRequest` → numbers and histograms.

1. The protobuf library splits the body into its series, each still as bytes.
2. A series with one sample, which is what Prometheus sends, is its labels' bytes, a tag, the
   sample's length, and the sample. So what stands up to the tag is looked up as it is: where it is
   known, and the length is that of all that is left, the rest can be nothing else than a sample of
   that series.
3. Every other series is taken apart by the library, and remembered.
4. All samples are read at once.

Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.model.errors import PayloadError
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.measured import Measured, Numbers, Series
from streamgauge.receive.prometheus import wire
from streamgauge.receive.prometheus.forms import Families
from streamgauge.receive.prometheus.joining import indexed, joined
from streamgauge.receive.prometheus.known import MAX_BYTES, BadSeries, KnownSeries, checked
from streamgauge.receive.prometheus.native import (
    BadHistogram,
    Native,
    check_histogram,
    read_native,
)
from streamgauge.receive.prometheus.refusing import Refusals, nanoseconds, only, without_bad_stamps
from streamgauge.receive.prometheus.samples import SAMPLE, ZERO, equal_rows, is_stale, read_samples

MAX_SERIES = 100_000
MAX_SAMPLES = 1_000_000
"""Of one body; senders put a few thousand of either into one."""

_AT_ONCE = 10_000
"""Series that are cut up at a time, so that a large body takes little more memory than it has."""
_LABEL, _SAMPLE = b"\x0a", b"\x12"
"""The tags of fields 1 and 2 of a `TimeSeries`."""
_UNPRINTABLE = dict.fromkeys((*range(32), 127), " ")
_SAMPLE_ON = SAMPLE + 1
_ZERO_ON = ZERO + 1
"""With the length before it."""


class MetadataMessage(Protocol):
    """`wire.Metadata`: what is told of a family of metrics."""

    type: int
    family: bytes
    unit: bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """A body as it was understood."""

    measured: Measured
    rejected: Sequence[RejectedLine] = ()
    rejected_count: int = 0
    exemplar_count: int = 0
    """Exemplars, which are not kept."""


class Decoder:
    """Remembers series and types from body to body. Threads may share it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._families = Families()
        self._known = KnownSeries(self._families, max_bytes)
        self._known_natives = KnownSeries(self._families, max_bytes)

    def decode(self, plain: bytes, received_at_ns: int) -> Decoded:
        """Read one body.

        Args:
            plain: without snappy.
            received_at_ns: our clock, to refuse time stamps that are too far ahead of it.

        Raises:
            PayloadError: it is no `WriteRequest`, or cut off.
            BodyTooLarge: it holds more series, or more samples, than are taken at once.
        """
        try:
            request = wire.WriteRequest.FromString(plain)
            if plain and not request.timeseries and not request.metadata:
                raise PayloadError("remote write: no time series in it; is it of version 2.0?")
            self._learn(request.metadata)
            reading = _Reading(self._known, self._known_natives)
            reading.read(request.timeseries)
            return reading.decoded(received_at_ns)
        except wire.DecodeError as error:
            raise PayloadError(
                "remote write: not a WriteRequest of protobuf, or cut off"
            ) from error

    def _learn(self, metadata: Sequence[bytes]) -> None:
        if len(metadata) > MAX_SERIES:
            raise BodyTooLarge("metadata of one body", len(metadata), MAX_SERIES)
        told = [_family(wire.Metadata.FromString(one)) for one in metadata]
        if self._families.learn(told):
            self._known.forget()
            self._known_natives.forget()


def _family(message: MetadataMessage) -> tuple[str, int, str]:
    return _text(message.family), message.type, _text(message.unit)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")


class _Reading:
    """One body on its way."""

    def __init__(self, known: KnownSeries, known_natives: KnownSeries) -> None:
        self._known, self._known_natives = known, known_natives
        self._epoch = known_natives.epoch
        self._alike_series: list[Series] = []
        self._alike_rows: list[NDArray[np.uint8]] = [np.zeros((0, SAMPLE), np.uint8)]
        """Samples that are read all at once, [n, SAMPLE], and the series of each."""
        self._series: list[Series] = []
        self._bodies: list[bytes] = []
        """All others, and the series of each."""
        self._natives: list[tuple[Series, Native]] = []
        self._refusals = Refusals()
        self._exemplar_count = 0

    def read(self, parts: Sequence[bytes]) -> None:
        if len(parts) > MAX_SERIES:
            raise BodyTooLarge("series of one body", len(parts), MAX_SERIES)
        for start in range(0, len(parts), _AT_ONCE):
            self._read_some(parts[start : start + _AT_ONCE])

    def _read_some(self, parts: Sequence[bytes]) -> None:
        find = self._known.young().get
        series = list(map(find, [part[:-_SAMPLE_ON] for part in parts]))
        rows = equal_rows([part[-_SAMPLE_ON:] for part in parts], _SAMPLE_ON)
        is_one = rows[:, 0] == SAMPLE
        is_one &= np.fromiter(map(bool, series), bool, len(series))
        if not is_one.all():
            for at in np.flatnonzero(~is_one).tolist():
                self._take_other(parts[at])
            series = list(compress(series, is_one.tolist()))
        self._alike_series += cast("list[Series]", series)
        self._alike_rows.append(rows[is_one, 1:])

    def _take_other(self, part: bytes) -> None:
        found = self._known.young().get(part[:-_ZERO_ON])
        if found is not None and part[-_ZERO_ON] == ZERO:
            self._series.append(found)
            self._bodies.append(part[-ZERO:])
        else:
            self._take_apart(part)

    def _take_apart(self, part: bytes) -> None:
        message = wire.TimeSeries.FromString(part)
        sample_count = len(message.samples) + len(message.histograms)
        if len(self._bodies) + sample_count > MAX_SAMPLES:
            raise BodyTooLarge("samples of one body", len(self._bodies) + sample_count, MAX_SAMPLES)
        self._exemplar_count += len(message.exemplars)
        try:
            series, key = self._series_of(message.labels)
        except BadSeries as error:
            line = _text(b" ".join(message.labels[:20])).translate(_UNPRINTABLE)
            self._refusals.add(line, str(error), error.reason, at=self._at, count=sample_count)
            return
        self._bodies.extend(message.samples)
        self._series.extend([series] * len(message.samples))
        for histogram in message.histograms:
            self._take_histogram(series, key, histogram)

    @property
    def _at(self) -> int:
        return len(self._bodies) + self._refusals.count

    def _series_of(self, told: Sequence[bytes]) -> tuple[Series, bytes]:
        """The series, and what stands before a sample of it."""
        labels = checked(told)
        key = _spelled(labels) + _SAMPLE
        series = self._known.find(key)
        if series is None:
            epoch = self._known.epoch
            series = self._known.read(labels)
            self._known.add(key, series, epoch)
        return series, key

    def _take_histogram(self, series: Series, key: bytes, body: bytes) -> None:
        try:
            check_histogram(body)
            native = read_native(wire.Histogram.FromString(body))
        except BadHistogram as error:
            self._refusals.add(series.name, f"native histogram: {error}", at=self._at)
            return
        key += bytes((native.form,))
        found = self._known_natives.find(key)
        if found is None:
            found = replace(series, form=native.form)
            self._known_natives.add(key, found, self._epoch)
        self._natives.append((found, native))

    def decoded(self, received_at_ns: int) -> Decoded:
        numbers = without_bad_stamps(self._numbers(), received_at_ns, self._refusals)
        histograms = joined(self._natives, received_at_ns, self._refusals)
        return Decoded(
            Measured(numbers, histograms),
            self._refusals.told,
            self._refusals.count,
            self._exemplar_count,
        )

    def _numbers(self) -> Numbers:
        value, time_ms = read_samples(self._bodies, np.concatenate(self._alike_rows))
        series, of = indexed(self._alike_series + self._series)
        time_ns = nanoseconds(time_ms)
        numbers = Numbers(series, of, time_ns, np.zeros(len(of), np.int64), value)
        is_end = is_stale(value)
        if not is_end.any():
            return numbers
        return replace(only(numbers, ~is_end), ended=of[is_end], ended_ns=time_ns[is_end])


def _spelled(labels: list[bytes]) -> bytes:
    return b"".join([_LABEL + _varint(len(label)) + label for label in labels])


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    return bytes((number & 0x7F | 0x80,)) + _varint(number >> 7)
