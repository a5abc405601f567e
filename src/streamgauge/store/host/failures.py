"""The engine's errors, as ClickHouse's HTTP interface gives them."""

from __future__ import annotations

import re
from http import HTTPStatus

SYNTAX_ERROR = 62
AUTHENTICATION_FAILED = 516
READONLY = 164
BAD_ARGUMENTS = 36
NOT_IMPLEMENTED = 48
UNKNOWN_COMPRESSION_METHOD = 89

_CODE = re.compile(r"Code: (\d+)")
_UNKNOWN_EXCEPTION = 1002
_STATUS_OF = {
    HTTPStatus.UNAUTHORIZED: (194,),
    HTTPStatus.FORBIDDEN: (192, 193, 497, 512, 516),
    HTTPStatus.BAD_REQUEST: (
        *(6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123),
        *(167, 168, 223, 321, 376, 427, 441, 675, 676),
    ),
    HTTPStatus.NOT_FOUND: (46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (229,),
    HTTPStatus.NOT_IMPLEMENTED: (NOT_IMPLEMENTED,),
    HTTPStatus.SERVICE_UNAVAILABLE: (76, 209, 439),
    HTTPStatus.LENGTH_REQUIRED: (381,),
    HTTPStatus.REQUEST_TIMEOUT: (159,),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (779,),
}
"""Source: ClickHouse, src/Server/HTTP/exceptionCodeToHTTPStatus.cpp and ErrorCodes.cpp."""


class Refused(Exception):
    """A question that gets no answer.

    Attributes:
        code: ClickHouse's error code.
        status: The HTTP status that goes with it.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = next(
            (status for status, codes in _STATUS_OF.items() if code in codes),
            HTTPStatus.INTERNAL_SERVER_ERROR,
        )


def refusal(code: int, sentence: str, name: str) -> Refused:
    """One of our own, worded as ClickHouse words its."""
    return Refused(code, f"Code: {code}. DB::Exception: {sentence} ({name})")


def engine_refusal(error: Exception) -> Refused:
    """What the embedded engine raised."""
    text = str(error)
    found = _CODE.search(text)
    if found is None:
        code = _UNKNOWN_EXCEPTION
        return Refused(code, f"Code: {code}. DB::Exception: {text} (UNKNOWN_EXCEPTION)")
    return Refused(int(found[1]), text[found.start() :].strip())
