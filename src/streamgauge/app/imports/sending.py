"""Sends bodies to a streamgauge until each is answered, and asks what it holds.

A body is known by its content (`Idempotency-Key`): sent again after a crash or a lost answer, it
counts once.
"""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from hashlib import blake2b
from types import TracebackType

import httpx

from streamgauge.app.imports.progress import Counts
from streamgauge.model.errors import ConfigError, StoreError

GIVE_UP_S = 600.0
"""Nothing was answered, or only 429 and 503, for so long."""
MAX_PAUSE_S = 60.0
_BUSY = frozenset({429, 500, 502, 503, 504})
_DROPPED = re.compile(r"dropped=(\d+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """To one body."""

    refused: int
    """Lines."""
    reason: str


class Target:
    """A running streamgauge."""

    def __init__(self, url: str, token: str | None, give_up_s: float = GIVE_UP_S) -> None:
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False)
        self._url, self._give_up_s = url, give_up_s

    def __enter__(self) -> Target:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.close()

    def write(self, db: str, body: bytes, line_count: int) -> Answer:
        """Send a body.

        Args:
            db: `NAME` or `NAME&rp=POLICY`, quoted for a query.
            body: line protocol, stamps in nanoseconds.
            line_count: of the body.

        Raises:
            ConfigError: the address or the token is wrong, or a limit of the receiver.
            StoreError: it was not reached, or too busy for too long.
        """
        digest = blake2b(body, digest_size=16, key=db.encode()[:64]).hexdigest()
        headers = {"Idempotency-Key": f"import-{digest}"}
        answer = self._ask("POST", f"/write?db={db}", content=body, headers=headers)
        if answer.status_code == 204:
            return Answer(0, "")
        if answer.status_code == 400:
            reason = _reason(answer)
            found = _DROPPED.search(reason)
            return Answer(int(found[1]) if found else line_count, reason)
        if answer.status_code == 413:
            raise ConfigError(f"{self._url}: {_reason(answer)}: raise [receive] max_body there")
        raise self._unexpected(answer)

    def stored(self, first_day: int, last_day: int) -> Counts | None:
        """What is stored of these days since the epoch; None: it cannot say."""
        question = {"from": first_day * 86_400, "to": (last_day + 1) * 86_400}
        answer = self._ask("GET", "/api/v1/stored", params=question)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise self._unexpected(answer)
        rows = answer.json()["stored"]
        return {f"{row['db']} {row['measurement']}".strip(): row["count"] for row in rows}

    def _ask(self, method: str, path: str, **options: object) -> httpx.Response:
        """The answer, once there is one that is no "later"."""
        until, pause_s, told = time.monotonic() + self._give_up_s, 1.0, False
        while True:
            asked_for_s, why = 0.0, ""
            try:
                answer = self._client.request(method, path, **options)  # type: ignore[arg-type]
                if answer.status_code not in _BUSY:
                    return answer
                asked_for_s = _retry_after_s(answer)
                why = f"{answer.status_code}: {_reason(answer)}"
            except httpx.TransportError as error:
                why = str(error) or type(error).__name__
            wait_s = asked_for_s or pause_s
            if time.monotonic() + wait_s > until:
                text = f"{self._url} does not take it ({why}): run the same command again to go on"
                raise StoreError(text, permanent=False)
            if not told:
                print(f"waiting for {self._url} ({why})", file=sys.stderr, flush=True)
                told = True
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _unexpected(self, answer: httpx.Response) -> ConfigError:
        hint = (
            "give --token, or set STREAMGAUGE_IMPORT_TOKEN"
            if answer.status_code == 401
            else ("is it a streamgauge? name it by --to-url")
        )
        return ConfigError(f"{self._url}: {answer.status_code}: {_reason(answer)}: {hint}")


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return max(float(answer.headers.get("retry-after", "0")), 0.0)
    except ValueError:
        return 0.0


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
        return answer.text[:200]
