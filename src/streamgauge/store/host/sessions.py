"""Connections to the embedded engine, each with the settings it was last given.

A setting belongs to one question: the next on the same connection finds it as it was. Connections
of one path are truly concurrent, one at a time is not; one on which a question failed is thrown
away, since what it had answered so far stands in front of its next answer (chDB 26.9).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

from chdb.state.sqlitelike import Connection

from streamgauge.store.engine.insertcheck import checked
from streamgauge.store.engine.place import ENGINE_OPTIONS
from streamgauge.store.host.failures import BAD_ARGUMENTS, engine_refusal, refusal
from streamgauge.store.host.questions import DEFAULT_FORMAT, Question

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_IDLE_MAX = 16
Options = Mapping[str, str]
"""What the engine is opened with, by name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave: bytes in the format asked for, and rows read or written."""

    body: bytes
    read_rows: int
    written_rows: int


class Session:
    """One connection; of one thread at a time."""

    def __init__(self, path: str, options: Options) -> None:
        self._connection = Connection(f"{path}?{urlencode(ENGINE_OPTIONS | dict(options))}")
        self.settings: dict[str, str] = {}
        self._database = "default"

    def run(self, question: Question) -> Answer:
        """Answer a question under its own settings.

        Raises:
            RuntimeError: the engine refused (chDB's errors are among them).
        """
        self._use(question.database or "default")
        self._set(question.settings)
        if question.data is not None:
            return self._insert(question.statement, question.format, question.data)
        # A FORMAT clause in the statement wins over what is given here.
        result = self._connection.query(
            question.statement, question.format, params=dict(question.parameters)
        )
        return Answer(result.bytes() or b"", result.rows_read(), result.rows_written())

    def close(self) -> None:
        """Give the connection back to the engine."""
        self._connection.close()

    def _insert(self, statement: str, format_name: str, data: bytes) -> Answer:
        with (
            checked(self._ask),
            self._connection.send_insert(statement, format_name) as insert,
        ):
            if data:
                insert.append(data)
            done = insert.finish()
        return Answer(b"", 0, done.rows_written)

    def _ask(self, question: str) -> bytes:
        return self._connection.query(question, DEFAULT_FORMAT).bytes() or b""

    def _use(self, database: str) -> None:
        if database != self._database:
            quoted = database.replace("\\", "\\\\").replace("`", "\\`")
            self._connection.query(f"USE `{quoted}`", DEFAULT_FORMAT)
            self._database = database

    def _set(self, wanted: Mapping[str, str]) -> None:
        changes = [f"{name} = DEFAULT" for name in self.settings.keys() - wanted.keys()]
        changes += [
            f"{_checked(name)} = {_quoted(value)}"
            for name, value in wanted.items()
            if self.settings.get(name) != value
        ]
        if changes:
            self._connection.query(f"SET {', '.join(changes)}", DEFAULT_FORMAT)
            self.settings = dict(wanted)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise refusal(BAD_ARGUMENTS, f"{name!r} is not a setting's name", "BAD_ARGUMENTS")
    return name


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class Sessions:
    """Thread-safe: as many connections as there are questions at the same time."""

    def __init__(self, path: str, options: Options) -> None:
        self._path, self._options = path, options
        self._guard = threading.Condition()
        self._idle: list[Session] = []
        self._borrowed = 0

    def run(self, question: Question) -> Answer:
        """Answer a question on a connection of its own.

        Raises:
            Refused: the engine refused.
        """
        try:
            with self._session(question) as session:
                return session.run(question)
        except RuntimeError as error:
            raise engine_refusal(error) from error

    def close(self) -> None:
        """Wait for the questions under way, then close every connection."""
        with self._guard:
            self._guard.wait_for(lambda: self._borrowed == 0)
            sessions, self._idle = self._idle, []
        for session in sessions:
            session.close()

    @contextmanager
    def _session(self, question: Question) -> Iterator[Session]:
        with self._guard:
            session = self._nearest(question.settings)
            self._borrowed += 1
        is_sound = False
        try:
            session = session or Session(self._path, self._options)
            yield session
            # What goes on in the background keeps its connection from being asked again.
            is_sound = not question.statement.rstrip().endswith(" ASYNC")
        finally:
            with self._guard:
                is_kept = is_sound and len(self._idle) < _IDLE_MAX
                if session is not None and is_kept:
                    self._idle.append(session)
            if session is not None and not is_kept:
                session.close()
            with self._guard:
                self._borrowed -= 1
                self._guard.notify_all()

    def _nearest(self, wanted: Mapping[str, str]) -> Session | None:
        """The idle connection with the fewest settings to be changed."""
        if not self._idle:
            return None
        items = wanted.items()
        nearest = min(self._idle, key=lambda session: len(session.settings.items() ^ items))
        self._idle.remove(nearest)
        return nearest
