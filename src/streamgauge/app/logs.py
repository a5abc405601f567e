"""Logs go to stderr: text on a terminal, one JSON object a line elsewhere."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure(level: str, style: Literal["auto", "text", "json"]) -> None:
    """Set up structlog for the process; stack traces are kept out unless the level is debug."""
    is_text = style == "text" or (style == "auto" and sys.stderr.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if number > logging.DEBUG:
        processors.append(_name_exceptions)
    else:
        processors.append(structlog.processors.format_exc_info)
    processors.append(
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
        if is_text
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")


def _name_exceptions(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """In place of a stack trace: the exception's kind and words."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info
    if isinstance(error, BaseException):
        event["error"] = f"{type(error).__name__}: {error}"
    return event
