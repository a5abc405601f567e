"""Errors as answers: JSON `{"error": …}` for programs, a page for browsers, never a stack trace."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streamgauge.model.errors import (
    LimitExceeded,
    NotFound,
    Overloaded,
    PayloadError,
    StoreError,
    StreamgaugeError,
)
from streamgauge.web.templating import render

log = structlog.get_logger(__name__)

RETRY_AFTER_S = 5
STATUS_OF: tuple[tuple[type[StreamgaugeError], HTTPStatus], ...] = (
    (PayloadError, HTTPStatus.BAD_REQUEST),
    (LimitExceeded, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (StoreError, HTTPStatus.SERVICE_UNAVAILABLE),
    (Overloaded, HTTPStatus.SERVICE_UNAVAILABLE),
)
HELP: dict[int, str] = {
    404: "Nothing is served at {path}: see /api/docs for the API, or start from /",
    405: "{method} is not understood at {path}: see /api/docs",
}


def add_problem_handlers(app: FastAPI) -> None:
    """Make every exception an answer in the asker's language."""
    app.add_exception_handler(StreamgaugeError, _on_expected)
    app.add_exception_handler(RequestValidationError, _on_bad_parameters)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_middleware(CatchAll)


def problem(request: Request, status: int, message: str, headers: dict[str, str]) -> Response:
    """The answer in the form that the asker reads."""
    if wants_html(request):
        return render(
            request,
            "problem.html",
            {"status": status, "phrase": HTTPStatus(status).phrase, "message": message},
            status=status,
            headers=headers,
        )
    return JSONResponse({"error": message}, status_code=status, headers=headers)


def wants_html(request: Request) -> bool:
    """Whether a person asks: a browser names HTML, and the API speaks JSON to everyone."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        "/api/v1/"
    )


async def _on_expected(request: Request, error: Exception) -> Response:
    status = next(
        (status for kind, status in STATUS_OF if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    headers: dict[str, str] = {}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(getattr(error, "retry_after_s", RETRY_AFTER_S))
        log.warning("not answered", path=request.url.path, reason=str(error))
    return problem(request, status, str(error), headers)


async def _on_bad_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 registered for it alone
    return problem(request, HTTPStatus.BAD_REQUEST, describe_bad_parameters(error), {})


def describe_bad_parameters(error: RequestValidationError) -> str:
    """Which parameters are wrong, and what is accepted."""
    return "; ".join(_describe(fault) for fault in error.errors()) + ": see /api/docs"


def _describe(fault: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in fault["loc"][1:])
    match fault["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden":
            return f"{name[:64]} is not a parameter here"
        case _:
            message = str(fault["msg"]).removeprefix("Input should be ")
            return f"{name}={str(fault['input'])[:64]!r} should be {message}"


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 registered for it alone
    message = str(error.detail)
    if error.status_code in HELP:
        path = request.url.path[:200]
        message = HELP[error.status_code].format(path=path, method=request.method)
    return problem(request, error.status_code, message, dict(error.headers or {}))


class CatchAll:
    """ASGI middleware: what nobody expected is logged under an id, and the asker gets the id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, and answer what breaks."""
        is_started = False

        async def watched_send(message: Message) -> None:
            nonlocal is_started
            is_started = is_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched_send)
        except Exception as error:
            if scope["type"] != "http" or is_started:
                raise
            request = Request(scope, receive)
            await unexpected(request, error)(scope, receive, send)


def unexpected(request: Request, error: Exception) -> Response:
    """The answer to a mistake of ours."""
    error_id = secrets.token_hex(4)
    log.error("unexpected error", error_id=error_id, path=request.url.path, exc_info=error)
    message = f"Something broke on our side (error {error_id}): the log says what; try again"
    return problem(request, HTTPStatus.INTERNAL_SERVER_ERROR, message, {})
