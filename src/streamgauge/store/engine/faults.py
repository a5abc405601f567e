"""What the engine's errors mean, in words for people, and whether trying again can help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError
from urllib3 import exceptions

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.address import ServerAddress

_CODE = re.compile(r"Code: (\d+)\b|exception, code: (\d+)\b")
_LASTING_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        10,  # NOT_FOUND_COLUMN_IN_BLOCK
        16,  # NO_SUCH_COLUMN_IN_TABLE
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        44,  # ILLEGAL_COLUMN
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    }
)
"""Errors about what is inserted, not about the engine's state.
Source: ClickHouse, src/Common/ErrorCodes.cpp"""
_UNKNOWN_TO_SERVER = frozenset({192, 193, 194, 516})
"""UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, AUTHENTICATION_FAILED."""
_ACCESS_DENIED = 497
_UNKNOWN_DATABASE = 81
OURS_AWAY = "the engine does not answer: it has ended or hangs, and is started again"
_FULL_SIGNS = ("No space left on device", "NOT_ENOUGH_SPACE", "Disk quota exceeded")


@contextmanager
def engine_errors(address: ServerAddress | None, is_ours: bool = False) -> Iterator[None]:
    """Have the driver's errors raised as a StoreError in words for people.

    Args:
        address: Of the server; None: the engine is embedded.
        is_ours: Whether it is a process of our own, which is started again when it ends or hangs.

    Raises:
        StoreError: permanent if it is about what was given, so that giving it again cannot help.
    """
    try:
        yield
    except (ClickHouseError, exceptions.HTTPError, OSError, RuntimeError, pa.ArrowInvalid) as error:
        text = str(error) or repr(error)
        sentence = _explained(error, text, address, is_ours)
        raise StoreError(sentence, permanent=_is_lasting(error, text)) from error


def _code_of(text: str) -> int | None:
    found = _CODE.search(text)
    return int(found[1] or found[2]) if found else None


def _is_lasting(error: Exception, text: str) -> bool:
    return isinstance(error, DataError) or _code_of(text) in _LASTING_CODES


def _explained(error: Exception, text: str, address: ServerAddress | None, is_ours: bool) -> str:
    """What an engine's error means: its first line, or what to do about it."""
    if any(sign in text for sign in _FULL_SIGNS):
        return "the engine's disk is full: free some space or move the data folder (--data)"
    code = _code_of(text)
    if code is None and is_ours and _is_of_network(error):
        return OURS_AWAY
    if address is not None and (told := _about_server(error, code, address)):
        return told
    start = text.find("Code: ")
    line = text[max(start, 0) :].strip().splitlines()[0]
    return f"the engine refused: {line.partition(' (for url ')[0][:500]}"


def _about_server(error: Exception, code: int | None, address: ServerAddress) -> str:
    """What only a server can say; empty: it is about the statement."""
    where = f"ClickHouse at {address}"
    if code is None:
        return _about_network(list(_causes(error)), where)
    if code in _UNKNOWN_TO_SERVER:
        return f"{where} does not know the user {address.user} or its password: see [store] url"
    if code == _ACCESS_DENIED:
        return f"{where} does not let the user {address.user} do what is needed: grant it"
    if code == _UNKNOWN_DATABASE:
        return f"{where} has no database {address.database}: create it, or see [store] url"
    return ""


def _about_network(causes: list[BaseException], where: str) -> str:
    if any(map(_is_timeout, causes)):
        return f"{where} does not answer in time"
    if any(isinstance(cause, exceptions.HTTPError | OSError) for cause in causes):
        return f"{where} cannot be reached ({_reason(causes)}): does it run, is [store] url right?"
    return ""


def _is_of_network(error: Exception) -> bool:
    return any(isinstance(cause, exceptions.HTTPError | OSError) for cause in _causes(error))


def _is_timeout(cause: BaseException) -> bool:
    """urllib3 counts every connection that is not made among its timeouts."""
    is_refused = isinstance(cause, exceptions.NewConnectionError)
    return isinstance(cause, TimeoutError | exceptions.TimeoutError) and not is_refused


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those it came from; urllib3 keeps some as `reason`."""
    at: BaseException | None = error
    seen: list[BaseException] = []
    while at is not None and at not in seen:
        seen.append(at)
        yield at
        reason = getattr(at, "reason", None)
        at = reason if isinstance(reason, BaseException) else at.__cause__ or at.__context__


def _reason(causes: list[BaseException]) -> str:
    """The system's word for it, if it has one."""
    words = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    return words[-1] if words else "the connection broke"
