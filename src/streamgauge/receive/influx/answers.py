"""Answers in the shapes of InfluxDB 1.x and 2.x: status, headers and bodies.

Source: influxdata/influxdb 1.8 services/httpd/handler.go (`httpError`, `requestID`, `servePing`);
2.7 kit/transport/http/error_handler.go (codes and statuses).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Protocol

from starlette.responses import Response

from streamgauge import __version__
from streamgauge.model.batch import Parsed
from streamgauge.receive.quotas import MAX_TOLD, OverLimit

SPOKEN_VERSION = "1.8.10"
"""Whose protocol is spoken: clients choose what they send and expect by this version."""

_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_MAX_HEADER_CHARACTERS = 1024

_CODES = {
    400: "invalid",
    404: "not found",
    413: "request too large",
    415: "invalid",
    429: "too many requests",
    503: "unavailable",
}
"""2.x's word for each status."""


class Shape(Protocol):
    """How one version says what went wrong."""

    too_large: str
    """Its words for a body beyond the limit."""

    def failed(
        self, status: int, message: str, headers: Mapping[str, str], line: int | None = None
    ) -> Response:
        """An answer that nothing, or not everything, was kept."""
        ...


class Version1:
    """`{"error": …}`."""

    too_large = "Request Entity Too Large"

    def failed(
        self, status: int, message: str, headers: Mapping[str, str], line: int | None = None
    ) -> Response:
        """The number of the line is part of the message."""
        shown = message if line is None else _with_line(message, line)
        told = " ".join(shown.split())[:_MAX_HEADER_CHARACTERS]
        # A control character in a header is refused by the server: the answer would be lost.
        told = "".join(character if " " <= character <= "~" else "?" for character in told)
        return _json(status, {"error": shown}, {**headers, "X-Influxdb-Error": told})


class Version2:
    """`{"code": …, "message": …, "line": …}`."""

    too_large = "unable to read data: points batch is too large"

    def failed(
        self, status: int, message: str, headers: Mapping[str, str], line: int | None = None
    ) -> Response:
        """The number of the line stands apart."""
        code = _CODES.get(status, "internal error")
        content: dict[str, str | int] = {"code": code, "message": message}
        if line is not None:
            content["line"] = line
        return _json(status, content, {**headers, "X-Platform-Error-Code": code})


def _with_line(message: str, line: int) -> str:
    reason, dropped, count = message.rpartition(" dropped=")
    return f"{reason} (line {line}){dropped}{count}"


def _json(status: int, content: Mapping[str, str | int], headers: Mapping[str, str]) -> Response:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")) + "\n"
    return Response(
        text.encode(errors="replace"), status, dict(headers), media_type="application/json"
    )


def common_headers(request_id: str | None) -> dict[str, str]:
    """What stands on every answer; a sender's own request id is given back."""
    given = request_id if request_id and _REQUEST_ID.fullmatch(request_id) else None
    shown = given or str(uuid.uuid4())
    return {
        "X-Influxdb-Version": SPOKEN_VERSION,
        "X-Influxdb-Build": f"streamgauge-{__version__}",
        "X-Request-Id": shown,
        "Request-Id": shown,
    }


def refused_lines(parsed: Parsed, over: Sequence[OverLimit] = ()) -> str:
    """Which limits were passed, the first line that is wrong, and how many lines were refused.

    For a body with refused lines.
    """
    limits = list(dict.fromkeys(one.text for one in over[:MAX_TOLD]))
    wrong = (line for line in parsed.rejected if line.reason not in limits)
    told = limits + [f"unable to parse '{line.line}': {line.reason}" for line in islice(wrong, 1)]
    prefix = "" if parsed.rejected_count == parsed.line_count else "partial write: "
    return f"{prefix}{'; '.join(told)} dropped={parsed.rejected_count}"


def taken(
    parsed: Parsed, shape: Shape, headers: Mapping[str, str], over: Sequence[OverLimit] = ()
) -> Response:
    """The answer to a body that was understood, in whole or in part, and kept."""
    if parsed.rejected_count:
        text = refused_lines(parsed, over)
        return shape.failed(400, text, headers, parsed.rejected[0].line_number)
    return Response(status_code=204, headers=dict(headers))
