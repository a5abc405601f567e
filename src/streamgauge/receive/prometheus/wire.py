"""Remote write's protobuf messages, cut open only as far as each step needs.

What is declared as `bytes` stays as it came: the library's own C code then checks and splits a body
of 10,000 series in a millisecond, and what is inside is read only where it is not known yet, and
not more of it than is taken.
Importing this loads the protobuf library: the endpoint does so with the first body.

Source: prometheus/prometheus, prompb/remote.proto and prompb/types.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

_KIND = descriptor_pb2.FieldDescriptorProto
_BYTES, _DOUBLE = _KIND.TYPE_BYTES, _KIND.TYPE_DOUBLE
_INT64, _UINT64, _UINT32 = _KIND.TYPE_INT64, _KIND.TYPE_UINT64, _KIND.TYPE_UINT32
_SINT32, _SINT64 = _KIND.TYPE_SINT32, _KIND.TYPE_SINT64

_ONE, _MANY = _KIND.LABEL_OPTIONAL, _KIND.LABEL_REPEATED
_PACKAGE = "streamgauge.remote_write"

_MESSAGES: dict[str, tuple[tuple[str, int, int, int, str], ...]] = {
    "WriteRequest": (
        ("timeseries", 1, _BYTES, _MANY, ""),
        ("metadata", 3, _BYTES, _MANY, ""),
    ),
    "Metadata": (
        ("type", 1, _INT64, _ONE, ""),
        ("family", 2, _BYTES, _ONE, ""),
        ("unit", 5, _BYTES, _ONE, ""),
    ),
    "TimeSeries": (
        ("labels", 1, _BYTES, _MANY, ""),
        ("samples", 2, _BYTES, _MANY, ""),
        ("exemplars", 3, _BYTES, _MANY, ""),
        ("histograms", 4, _BYTES, _MANY, ""),
    ),
    "Label": (("name", 1, _BYTES, _ONE, ""), ("value", 2, _BYTES, _ONE, "")),
    "Sample": (("value", 1, _DOUBLE, _ONE, ""), ("timestamp", 2, _INT64, _ONE, "")),
    "Span": (("offset", 1, _SINT32, _ONE, ""), ("length", 2, _UINT32, _ONE, "")),
    "Histogram": (
        ("count_int", 1, _UINT64, _ONE, ""),
        ("count_float", 2, _DOUBLE, _ONE, ""),
        ("sum", 3, _DOUBLE, _ONE, ""),
        ("schema", 4, _SINT32, _ONE, ""),
        ("zero_threshold", 5, _DOUBLE, _ONE, ""),
        ("zero_count_int", 6, _UINT64, _ONE, ""),
        ("zero_count_float", 7, _DOUBLE, _ONE, ""),
        ("negative_spans", 8, _KIND.TYPE_MESSAGE, _MANY, "Span"),
        ("negative_deltas", 9, _SINT64, _MANY, ""),
        ("negative_counts", 10, _DOUBLE, _MANY, ""),
        ("positive_spans", 11, _KIND.TYPE_MESSAGE, _MANY, "Span"),
        ("positive_deltas", 12, _SINT64, _MANY, ""),
        ("positive_counts", 13, _DOUBLE, _MANY, ""),
        ("reset_hint", 14, _INT64, _ONE, ""),
        ("timestamp", 15, _INT64, _ONE, ""),
        ("custom_values", 16, _DOUBLE, _MANY, ""),
    ),
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="streamgauge/remote_write.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, label, inner in fields:
            added = message.field.add(name=field, number=number, type=kind, label=label)
            if inner:
                added.type_name = f".{_PACKAGE}.{inner}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"{_PACKAGE}.{name}") for name in _MESSAGES)
    return dict(zip(_MESSAGES, map(message_factory.GetMessageClass, found), strict=True))


_CLASSES = _classes()
WriteRequest: Any = _CLASSES["WriteRequest"]
TimeSeries: Any = _CLASSES["TimeSeries"]
Metadata: Any = _CLASSES["Metadata"]
Label: Any = _CLASSES["Label"]
Sample: Any = _CLASSES["Sample"]
Histogram: Any = _CLASSES["Histogram"]

__all__ = ["DecodeError", "Histogram", "Label", "Metadata", "Sample", "TimeSeries", "WriteRequest"]
