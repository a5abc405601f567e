"""Remote write by the book: every field of every message read by the protobuf library itself.

Slow and plain; the decoder must agree with it.
"""

from __future__ import annotations

import struct
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_KIND = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _KIND.TYPE_STRING,
    "bytes": _KIND.TYPE_BYTES,
    "double": _KIND.TYPE_DOUBLE,
    "int64": _KIND.TYPE_INT64,
    "int32": _KIND.TYPE_INT32,
    "uint64": _KIND.TYPE_UINT64,
    "uint32": _KIND.TYPE_UINT32,
    "sint32": _KIND.TYPE_SINT32,
    "sint64": _KIND.TYPE_SINT64,
}
_SCHEMA = """
WriteRequest: TimeSeries[] timeseries 1, MetricMetadata[] metadata 3
TimeSeries: Label[] labels 1, Sample[] samples 2, Exemplar[] exemplars 3, Histogram[] histograms 4
MetricMetadata: int32 type 1, string metric_family_name 2, string help 4, string unit 5
Label: bytes name 1, bytes value 2
Sample: double value 1, int64 timestamp 2
Exemplar: Label[] labels 1, double value 2, int64 timestamp 3
BucketSpan: sint32 offset 1, uint32 length 2
Histogram: uint64 count_int 1, double count_float 2, double sum 3, sint32 schema 4,
 double zero_threshold 5, uint64 zero_count_int 6, double zero_count_float 7,
 BucketSpan[] negative_spans 8, sint64[] negative_deltas 9, double[] negative_counts 10,
 BucketSpan[] positive_spans 11, sint64[] positive_deltas 12, double[] positive_counts 13,
 int32 reset_hint 14, int64 timestamp 15, double[] custom_values 16
"""
"""Source: prometheus/prometheus, prompb; labels are bytes here, so that what is not UTF-8 can be
made."""


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="reference.proto", package="ref", syntax="proto3"
    )
    names = []
    for line in _SCHEMA.strip().replace(",\n", ",").splitlines():
        name, fields = line.split(":")
        names.append(name)
        message = file.message_type.add(name=name)
        for text in fields.split(","):
            kind, field, number = text.split()
            bare = kind.removesuffix("[]")
            added = message.field.add(name=field, number=int(number))
            added.label = _KIND.LABEL_OPTIONAL if bare == kind else _KIND.LABEL_REPEATED
            added.type = _TYPES.get(bare, _KIND.TYPE_MESSAGE)
            if bare not in _TYPES:
                added.type_name = f".ref.{bare}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"ref.{name}") for name in names)
    return dict(zip(names, map(message_factory.GetMessageClass, found), strict=True))


CLASSES = _classes()
WriteRequest: Any = CLASSES["WriteRequest"]

Told = list[tuple[tuple[tuple[str, str], ...], int, int]]
"""Labels with `__name__`, the bits of the value, milliseconds; sorted."""


def samples_of(body: bytes) -> Told:
    """All samples of a body.

    Raises:
        DecodeError: it is no WriteRequest.
    """
    found = []
    for series in WriteRequest.FromString(body).timeseries:
        labels = tuple(sorted((one.name.decode(), one.value.decode()) for one in series.labels))
        found += [(labels, bits(one.value), one.timestamp) for one in series.samples]
    return sorted(found)


def bits(value: float) -> int:
    """A double as its 64 bits, so that one NaN differs from another."""
    return int(struct.unpack("<q", struct.pack("<d", value))[0])


def write_request(*series: tuple[dict[str, str], list[tuple[float, int]]]) -> bytes:
    """A body as Prometheus writes it: labels sorted, then samples (value, milliseconds)."""
    request = WriteRequest()
    for labels, samples in series:
        one = request.timeseries.add()
        for name, value in sorted(labels.items()):
            one.labels.add(name=name.encode(), value=value.encode())
        for value, time_ms in samples:
            one.samples.add(value=value, timestamp=time_ms)
    return bytes(request.SerializeToString())
