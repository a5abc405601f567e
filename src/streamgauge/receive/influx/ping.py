"""`GET /ping`: how InfluxDB's clients ask whether anyone is there.

Source: influxdata/influxdb 1.8 services/httpd/handler.go (`servePing`).
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from streamgauge.receive.influx.answers import SPOKEN_VERSION, common_headers


async def ping(request: Request) -> Response:
    """204, or 200 with the version if `verbose` is asked for."""
    headers = common_headers(request.headers.get("x-request-id"))
    if request.query_params.get("verbose", "") in {"", "0", "false"}:
        return Response(status_code=204, headers=headers)
    return JSONResponse({"version": SPOKEN_VERSION}, headers=headers)


async def options(request: Request) -> Response:
    """204, as 1.x answers whoever asks what may be done at `/write` (`serveOptions`)."""
    return Response(status_code=204, headers=common_headers(request.headers.get("x-request-id")))
