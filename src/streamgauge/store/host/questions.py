"""What a request asks: a statement with its parameters and settings, and data to be inserted.

Data never becomes part of a statement: the engine would run what follows an empty line in it as
SQL.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from urllib.parse import parse_qsl

from streamgauge.store.host.failures import (
    BAD_ARGUMENTS,
    NOT_IMPLEMENTED,
    READONLY,
    SYNTAX_ERROR,
    refusal,
)

DEFAULT_FORMAT = "TabSeparated"
_OURS = frozenset(
    {
        "query",
        "user",
        "password",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "close_session",
        "query_id",
        "quota_key",
        "role",
        "wait_end_of_query",
        "buffer_size",
        "client_protocol_version",
        "stacktrace",
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "compress",
        "decompress",
    }
)
"""Parameters of HTTP, not settings of the engine. Source: ClickHouse, docs, HTTP interface."""
_INSERT_DATA = re.compile(
    rb"\s*INSERT\s+INTO\b(?P<into>[^;]{1,65536}?)\sFORMAT\s+(?P<format>\w+)[ \t;]*(?:\r?\n|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_TRAILING_FORMAT = re.compile(r"\bFORMAT\s+(\w+)\s*;?\s*\Z", re.IGNORECASE)
_QUOTED = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.)*`|\"(?:[^\"\\]|\\.)*\"|--[^\n]*|/\*.*?\*/", re.DOTALL
)
_SECOND_STATEMENT = re.compile(r";\s*[^\s;]")
_ASKING = re.compile(r"[\s(]*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|CHECK)\b", re.I)


@dataclass(frozen=True, slots=True)
class Question:
    """One statement.

    Attributes:
        statement: SQL. Without its FORMAT clause if it is an insert with data.
        data: What is to be inserted, in `format`; None: the statement stands alone.
        format: Of the data, or of the answer where the statement names none.
        parameters: Bound to `{name:Type}`, as HTTP writes them.
        settings: Of the engine, for this statement alone.
        database: Where unqualified tables stand; empty: the default.
    """

    statement: str
    data: bytes | None
    format: str
    parameters: Mapping[str, str]
    settings: Mapping[str, str]
    database: str

    @property
    def is_asking(self) -> bool:
        """Whether rows are expected, rather than something done."""
        return self.data is None and _ASKING.match(self.statement) is not None


def read_question(method: str, query: str, content_type: str, body: bytes) -> Question:
    """Understand a request.

    Args:
        method: GET or POST; a GET may only ask.
        query: What stands behind `?` in the address.
        content_type: As the header gives it.
        body: Unpacked.

    Raises:
        Refused: it is not understood, or not allowed so.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    if content_type.startswith("multipart/form-data"):
        values |= _form(content_type, body)
        body = b""
    if values.get("compress") == "1" or values.get("decompress") == "1":
        sentence = "Blocks in the native protocol's compression are not taken: use HTTP's"
        raise refusal(NOT_IMPLEMENTED, sentence, "NOT_IMPLEMENTED")
    question = _question(values, body)
    if method == "GET" and not question.is_asking:
        raise refusal(READONLY, "Cannot execute query in readonly mode: use POST", "READONLY")
    return question


def _form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form, in which the client sends what is too long for an address."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    form = BytesParser(policy=policy.HTTP).parsebytes(head + body)
    fields = {}
    for part in form.iter_parts():
        if part.get_filename() is not None:
            raise refusal(NOT_IMPLEMENTED, "External tables are not taken", "NOT_IMPLEMENTED")
        payload = part.get_payload(decode=True)
        name = str(part.get_param("name", header="content-disposition"))
        fields[name] = payload.decode() if isinstance(payload, bytes) else ""
    return fields


def _question(values: Mapping[str, str], body: bytes) -> Question:
    stated = values.get("query", "").strip()
    statement, data, format_name = _parts(stated, body)
    _refuse_second(statement)
    trailing = _TRAILING_FORMAT.search(statement) if data is None else None
    default = values.get("default_format", DEFAULT_FORMAT)
    return Question(
        statement=statement,
        data=data,
        format=format_name or (trailing[1] if trailing else default),
        parameters={
            name.removeprefix("param_"): value
            for name, value in values.items()
            if name.startswith("param_")
        },
        settings={
            name: value
            for name, value in values.items()
            if name not in _OURS and not name.startswith("param_")
        },
        database=values.get("database", ""),
    )


def _parts(stated: str, body: bytes) -> tuple[str, bytes | None, str]:
    """Statement, data and the data's format; the statement stands in the address or in the body."""
    head = stated.encode() if stated else body
    if found := _INSERT_DATA.match(head):
        statement = f"INSERT INTO{_text(found['into'])}"
        data = head[found.end() :] + (body if stated else b"")
        return statement, data, found["format"].decode()
    if stated and body.strip():
        sentence = "Data is taken by INSERT INTO … FORMAT … alone"
        raise refusal(BAD_ARGUMENTS, sentence, "BAD_ARGUMENTS")
    if not head.strip():
        raise refusal(SYNTAX_ERROR, "Empty query", "SYNTAX_ERROR")
    return _text(head), None, ""


def _text(statement: bytes) -> str:
    try:
        return statement.decode()
    except UnicodeDecodeError as error:
        raise refusal(SYNTAX_ERROR, "The query is not UTF-8", "SYNTAX_ERROR") from error


def _refuse_second(statement: str) -> None:
    if _SECOND_STATEMENT.search(_QUOTED.sub(" ", statement)):
        sentence = "Syntax error (Multi-statements are not allowed)"
        raise refusal(SYNTAX_ERROR, sentence, "SYNTAX_ERROR")
