"""Notices inserts that the embedded engine did not make, though it said so.

chDB's streaming insert answers with the number of rows also when writing them failed at its end: on
a full disk it says that all is well and stores nothing (chDB 26.9). The engine does count the error
(`system.errors`). So an insert during which such an error was counted is taken as failed. Another
statement's error may be meant: the insert is made again then, under its token, and counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

CODES = (
    49,  # LOGICAL_ERROR
    74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
    75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
    76,  # CANNOT_OPEN_FILE
    241,  # MEMORY_LIMIT_EXCEEDED
    242,  # TABLE_IS_READ_ONLY
    243,  # NOT_ENOUGH_SPACE
    252,  # TOO_MANY_PARTS
    469,  # VIOLATED_CONSTRAINT
    1001,  # STD_EXCEPTION, a file system's among them
)
"""Source: ClickHouse, src/Common/ErrorCodes.cpp"""
COUNT = f"SELECT sum(value) FROM system.errors WHERE code IN {CODES}"  # noqa: S608 - numbers
NEWEST = (
    f"SELECT code, name, last_error_message FROM system.errors WHERE code IN {CODES} "  # noqa: S608
    "ORDER BY last_error_time DESC LIMIT 1"
)


@contextmanager
def checked(ask: Callable[[str], bytes]) -> Iterator[None]:
    """Around an insert.

    Args:
        ask: Gives a question's answer as TabSeparated.

    Raises:
        RuntimeError: an error was counted meanwhile, so that the rows may not be there.
    """
    before = ask(COUNT)
    yield
    if ask(COUNT) != before:
        code, name, text = ask(NEWEST).decode(errors="replace").strip().split("\t", 2)
        raise RuntimeError(f"Code: {code}. DB::Exception: while inserting: {text} ({name})")
