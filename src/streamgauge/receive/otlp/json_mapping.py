"""OTLP's JSON: read into the same messages, and handed on as their bytes.

It differs from protobuf's own JSON by ids in hexadecimal, which only exemplars have; exemplars
are left out. Enums come as numbers, 64-bit integers as numbers or texts, unknown keys are passed
over.

Source: OTLP specification, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import json
from typing import Any

from streamgauge.model.errors import PayloadError

MAX_NESTING = 64
"""Of objects and arrays; a point of our messages stands at 11."""
MAX_PARTS = 1_000_000
"""Objects and arrays of one body: what they take in memory is many times what they take on the
way."""


def to_protobuf(body: bytes) -> bytes:
    """The same request as protobuf.

    Raises:
        PayloadError: no JSON, or no such request; too deep, or too many objects.
    """
    from google.protobuf import json_format
    from google.protobuf.message import EncodeError
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    parts = body.count(b"{") + body.count(b"[")
    if parts > MAX_PARTS:
        raise PayloadError(f"{parts:,} objects and arrays, limit {MAX_PARTS:,}: send fewer at once")
    request = ExportMetricsServiceRequest()
    try:
        json_format.ParseDict(
            _load(body), request, ignore_unknown_fields=True, max_recursion_depth=MAX_NESTING
        )
        return request.SerializeToString()
    except (json_format.ParseError, EncodeError) as error:
        raise _bad(error) from None
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise _bad(error) from None  # what the library itself trips over


def _load(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, object_hook=_without_exemplars)
    except RecursionError:
        raise PayloadError("not an OTLP metrics request in JSON: nested too deeply") from None
    except ValueError as error:
        raise PayloadError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise PayloadError("not an OTLP metrics request in JSON: it is no object")
    return found


def _without_exemplars(item: dict[str, Any]) -> dict[str, Any]:
    item.pop("exemplars", None)
    return item


def _bad(error: Exception) -> PayloadError:
    why = " ".join(str(error).split())[:300] or type(error).__name__
    return PayloadError(f"not an OTLP metrics request in JSON: {why}")
