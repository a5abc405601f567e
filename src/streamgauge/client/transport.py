"""One request to streamgauge, and what its answer means for the batch."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol
from urllib.parse import urlsplit

from streamgauge.client.batch import Batch

TIMEOUT_S = 10.0
LONGEST_RETRY_AFTER_S = 300.0
FOR_GOOD = frozenset({400, 413, 415, 422})
"""The server understood and refuses: the same bytes will not fare better. All else is tried again,
also a wrong token or path, which people put right."""
OF_PATH = frozenset({404, 405, 500, 501})
"""What an older server answers to a path that it does not know, or one with a fault to a path."""
_MAX_ANSWER_BYTES = 65_536


class Verdict(Enum):
    """What becomes of a batch."""

    TAKEN = "taken"
    REFUSED = "refused"
    """For good, in part or as a whole."""
    LATER = "later"
    """Nothing of it was kept, or we do not know: send it again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request went."""

    verdict: Verdict
    told: str = ""
    """What the server or the network said, for people."""
    retry_after_s: float = 0.0
    is_of_path: bool = False
    """It concerns what is sent to that path; the server takes other things."""


class Transport(Protocol):
    """Carries batches."""

    def post(self, batch: Batch) -> Answer:
        """Send one; never raises for what server or network do."""
        ...

    def close(self) -> None:
        """Disconnect."""
        ...


class HttpTransport:
    """One connection, kept open between batches. For one thread.

    Args:
        url: of the server: `http://host:port`, `https://host/below`.
        token: one of the server's tokens; None where it has none.

    Raises:
        ValueError: the address cannot be used; says why.
    """

    def __init__(self, url: str, token: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url {url!r}: an address is wanted such as http://127.0.0.1:8686")
        self._is_tls, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._base = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._headers = {"Content-Encoding": "gzip", "User-Agent": "streamgauge-client"}
        if token:
            self._headers["Authorization"] = f"Token {token}"
        self._connection: http.client.HTTPConnection | None = None

    def post(self, batch: Batch) -> Answer:
        """Send one; on a connection that the server has closed meanwhile, once more."""
        is_reused = self._connection is not None
        answer = self._try(batch)
        if answer is None and is_reused:
            answer = self._try(batch)
        return answer or Answer(Verdict.LATER, "does not answer")

    def close(self) -> None:
        """Disconnect."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
        self._connection = None

    def _try(self, batch: Batch) -> Answer | None:
        """None where a kept connection turned out to be closed."""
        headers = {
            **self._headers,
            "Content-Type": batch.content_type,
            "Idempotency-Key": batch.key,
        }
        try:
            connection = self._connection or self._connect()
            connection.request("POST", self._base + batch.path, batch.body, headers)
            response = connection.getresponse()
            text = response.read(_MAX_ANSWER_BYTES)
            told = f"{response.status} {text[:300].decode(errors='replace').strip()}"
            if not response.isclosed():  # more came than we read
                self.close()
            return understand(response.status, dict(response.getheaders()), told)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            self.close()
            return None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return Answer(Verdict.LATER, repr(error))

    def _connect(self) -> http.client.HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(
                self._host, self._port, timeout=self._timeout_s
            )
        return self._connection


def understand(status: int, headers: Mapping[str, str], told: str) -> Answer:
    """What an answer means for the batch."""
    if 200 <= status < 300:
        return Answer(Verdict.TAKEN)
    if status in FOR_GOOD:
        return Answer(Verdict.REFUSED, told)
    named = {name.lower(): value for name, value in headers.items()}
    wait_s = retry_after_s(named.get("retry-after", ""), time.time())
    return Answer(Verdict.LATER, told, wait_s, status in OF_PATH)


def retry_after_s(value: str, now: float) -> float:
    """Seconds to wait, at most LONGEST_RETRY_AFTER_S; 0 where nothing usable is told.

    Source: RFC 9110, 10.2.3: seconds, or a date.
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), LONGEST_RETRY_AFTER_S)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    return min(max(at - now, 0.0), LONGEST_RETRY_AFTER_S)
