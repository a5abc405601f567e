"""Attributes as labels: values of any type as text, and which of a resource's are kept.

Source: opentelemetry/proto/common/v1/common.proto (KeyValue, AnyValue); OpenTelemetry
specification, "Mapping to non-OTLP formats".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from enum import IntEnum
from typing import TYPE_CHECKING

from streamgauge.receive.otlp import wire

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

MAX_COUNT = 128
"""Attributes of one resource, scope or point; SDKs stop there as well.
Source: OpenTelemetry specification, AttributeCountLimit."""
MAX_BYTES = 65_536
"""Of all of them together."""


class _Tag(IntEnum):
    """Field number * 8 + wire type of what is read."""

    KEY = 0x0A
    VALUE = 0x12


class _Value(IntEnum):
    """The same of an AnyValue's kinds."""

    STRING = 0x0A
    BOOL = 0x10
    INT = 0x18
    DOUBLE = 0x21
    ARRAY = 0x2A
    MAP = 0x32
    BYTES = 0x3A


_DROPPED = ("telemetry.", "process.", "os.", "container.", "webengine.", "host.", "cloud.", "k8s.")
_KEPT = frozenset(
    {
        "host.name",
        "cloud.region",
        "k8s.cluster.name",
        "k8s.namespace.name",
        "k8s.deployment.name",
        "k8s.pod.name",
    }
)
INSTANCE = "service.instance.id"

Pair = tuple[str, str]


def kept_of_resource(attributes: Mapping[str, str]) -> dict[str, str]:
    """What a resource adds to the labels of its points.

    It says what sends, down to the version of its kernel. Kept is what tells senders apart: all
    but the families of `_DROPPED`. Where it names no instance, host and process do: two processes
    that count for themselves must not look like one whose counter jumps.
    """
    kept = {
        key: value
        for key, value in attributes.items()
        if key in _KEPT or not key.startswith(_DROPPED)
    }
    process = attributes.get("process.pid")
    if process and not kept.get(INSTANCE):
        kept[INSTANCE] = ":".join(filter(None, (attributes.get("host.name"), process)))
    return kept


def read_pair(encoded: bytes) -> Pair:
    """Key and value of one KeyValue.

    Raises:
        PayloadError: no KeyValue.
    """
    key = ""
    value: list[bytes] = []  # parts of one message may stand apart
    for tag, at, stop in wire.fields(encoded, 0, len(encoded)):
        if tag == _Tag.KEY:
            key = wire.text(encoded, at, stop)
        elif tag == _Tag.VALUE:
            value.append(encoded[at:stop])
    return key, _text_of(b"".join(value))


def _text_of(value: bytes) -> str:
    """An AnyValue as text; the last of its values is meant."""
    found = ""
    for tag, at, stop in wire.fields(value, 0, len(value)):
        match tag:
            case _Value.STRING:
                found = wire.text(value, at, stop)
            case _Value.BOOL:
                found = "true" if wire.varint(value, at, stop)[0] else "false"
            case _Value.INT:
                number = wire.varint(value, at, stop)[0]
                found = str(number - 2**64 if number >= 2**63 else number)
            case _Value.DOUBLE:
                found = repr(wire.double(value, at))
            case _Value.ARRAY | _Value.MAP:
                return _structure(value)
            case _Value.BYTES:
                found = base64.b64encode(value[at:stop]).decode()
            case _:
                pass
    return found


def _structure(value: bytes) -> str:
    """An array or a map as JSON."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

    try:
        message = AnyValue.FromString(value)
    except DecodeError:
        raise wire.bad("an attribute's value cannot be read") from None
    plain = _plain(message)
    if isinstance(plain, str):
        return plain
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: AnyValue) -> object:
    match value.WhichOneof("value"):
        case "array_value":
            return [_plain(one) for one in value.array_value.values]
        case "kvlist_value":
            return {one.key: _plain(one.value) for one in value.kvlist_value.values}
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case None:
            return ""
        case kind:
            found: object = getattr(value, kind)
            return found
