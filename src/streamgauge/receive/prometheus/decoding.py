"""Remote write 1.0: the bytes of a `WriteRequest` → numbers and histograms.

1. What stands in it as it stood in a body before is known by that (`trail`).
2. Of what is left, the protobuf library splits off the series, each still as bytes.
3. A series with one sample, which is what Prometheus sends, is its labels' bytes, a tag, the
   sample's length, and the sample. So what stands up to the tag is looked up as it is: where it is
   known, and the length is that of all that is left, the rest can be nothing else than a sample of
   that series.
4. Every other series is taken apart by the library, and remembered.
5. All samples are read at once.

A body goes through 1 to 4 in `reading`.

Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from streamgauge.model.errors import PayloadError
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.prometheus import wire
from streamgauge.receive.prometheus.forms import Families
from streamgauge.receive.prometheus.known import MAX_BYTES, KnownSeries
from streamgauge.receive.prometheus.reading import MAX_SERIES, Decoded, Reading


class MetadataMessage(Protocol):
    """`wire.Metadata`: what is told of a family of metrics."""

    type: int
    family: bytes
    unit: bytes


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
            return self._reading_of(plain).decoded(received_at_ns)
        except wire.DecodeError as error:
            raise PayloadError(
                "remote write: not a WriteRequest of protobuf, or cut off"
            ) from error

    def _reading_of(self, plain: bytes) -> Reading:
        reading = Reading(plain, self._known, self._known_natives)
        reading.follow()
        request = wire.WriteRequest.FromString(reading.rest())
        if plain and not (reading.series_count or request.timeseries or request.metadata):
            raise PayloadError("remote write: no time series in it; is it of version 2.0?")
        if self._learn(request.metadata) and reading.series_count:
            reading = Reading(plain, self._known, self._known_natives)
            request = wire.WriteRequest.FromString(plain)
        reading.read(request.timeseries)
        return reading

    def _learn(self, metadata: Sequence[bytes]) -> bool:
        """Whether what is known of types has changed."""
        if len(metadata) > MAX_SERIES:
            raise BodyTooLarge("metadata of one body", len(metadata), MAX_SERIES)
        told = [_family(wire.Metadata.FromString(one)) for one in metadata]
        is_new = self._families.learn(told)
        if is_new:
            self._known.forget()
            self._known_natives.forget()
        return is_new


def _family(message: MetadataMessage) -> tuple[str, int, str]:
    name, unit = (word.decode(errors="replace") for word in (message.family, message.unit))
    return name, message.type, unit
