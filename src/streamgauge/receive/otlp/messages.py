"""What is answered, as the messages of the protocol. They are read when the first is needed.

Source: opentelemetry/proto/collector/metrics/v1/metrics_service.proto; google/rpc/status.proto,
error_details.proto.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from streamgauge.receive.otlp.taking import Code, Failure, Success

if TYPE_CHECKING:
    from google.protobuf.message import Message


def response(success: Success, *, is_json: bool) -> bytes:
    """An ExportMetricsServiceResponse; of one without refused points nothing is said."""
    if not success.rejected_points:
        return b"{}" if is_json else b""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsPartialSuccess,
        ExportMetricsServiceResponse,
    )

    partial = ExportMetricsPartialSuccess(
        rejected_data_points=success.rejected_points, error_message=_sendable(success.message)
    )
    return _encoded(ExportMetricsServiceResponse(partial_success=partial), is_json=is_json)


def status(failure: Failure, *, is_json: bool = False) -> bytes:
    """A google.rpc.Status; with what is wrong, or when to try again, as a detail."""
    from google.protobuf.any_pb2 import Any
    from google.protobuf.duration_pb2 import Duration
    from google.rpc.error_details_pb2 import BadRequest, RetryInfo
    from google.rpc.status_pb2 import Status

    message = _sendable(failure.message)
    made = Status(code=int(failure.code), message=message)
    detail: Message | None = None
    if failure.retry_after_s is not None:
        detail = RetryInfo(retry_delay=Duration(seconds=failure.retry_after_s))
    elif failure.code is Code.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(description=message)
        detail = BadRequest(field_violations=[violation])
    if detail is not None:
        packed = Any()
        packed.Pack(detail)
        made.details.append(packed)
    return _encoded(made, is_json=is_json)


def _encoded(message: Message, *, is_json: bool) -> bytes:
    if not is_json:
        return message.SerializeToString()
    from google.protobuf.json_format import MessageToDict

    return json.dumps(MessageToDict(message), ensure_ascii=False, separators=(",", ":")).encode()


def _sendable(text: str) -> str:
    """Without halves of characters, which cannot be sent."""
    return text.encode(errors="replace").decode()
