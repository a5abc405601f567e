"""Who may come in, where tokens are configured. Without tokens any credential is ignored."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterable, Sequence
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from streamgauge.receive.otlp import endpoint as otlp
from streamgauge.web.expected import ACTOR

OPEN_PATHS = frozenset({"/health", "/ready", "/ping"})
"""Tell nothing but whether we live: load balancers and agents ask them without a token."""
OWN_KEY_PATHS = frozenset({"/api/v1/backup"})
"""Ask for a key of their own (`app.control`)."""

_NEEDED = (
    "a token is needed: send `Authorization: Token <one of [auth] tokens>`, "
    "or Basic with the token as password"
)
_SCHEMES = frozenset({"token", "bearer", "geniekey"})


class TokenGate:
    """ASGI middleware: lets a request pass that carries one of the tokens.

    Accepted: `Authorization: Token|Bearer|GenieKey …`, Basic with the token as password (browsers
    and InfluxDB 1.x clients), and InfluxDB 1.x's `p` in the query.
    """

    def __init__(self, app: ASGIApp, tokens: Iterable[str]) -> None:
        self._app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 401."""
        who = self._who(scope) if scope["type"] == "http" else None
        if who:
            scope[ACTOR] = who
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS | OWN_KEY_PATHS or who:
            await self._app(scope, receive, send)
            return
        await _refusal(scope)(scope, receive, send)

    def _who(self, scope: Scope) -> str:
        """Which token was presented, for the audit; empty: none of them."""
        given = _credentials(scope)
        known = [_matches([token], given) for token in self._tokens]
        return f"token {known.index(True) + 1}" if any(known) else ""


def _refusal(scope: Scope) -> Response:
    """401, in the words of the protocol that is spoken."""
    if scope["path"] in otlp.PATHS:
        answer = otlp.unauthenticated(Request(scope), _NEEDED)
    else:
        answer = JSONResponse({"error": _NEEDED}, status_code=401)
    answer.headers["WWW-Authenticate"] = 'Basic realm="streamgauge"'
    return answer


def is_known(authorization: str, tokens: Iterable[str]) -> bool:
    """Whether the value of an `Authorization` header, or of metadata so called, has a token."""
    return _matches([token.encode() for token in tokens], _of_header(authorization))


def _matches(tokens: Sequence[bytes], given: Sequence[bytes]) -> bool:
    """All are compared, so that the time it takes tells nothing."""
    matches = [hmac.compare_digest(token, one) for token in tokens for one in given]
    return any(matches)


def _credentials(scope: Scope) -> list[bytes]:
    found = _of_header(Headers(scope=scope).get("authorization", ""))
    found += [
        one.encode() for one in parse_qs(scope["query_string"].decode("latin-1")).get("p", [])
    ]
    return found


def _of_header(authorization: str) -> list[bytes]:
    scheme, _, value = authorization.partition(" ")
    found = [value.strip().encode()] if scheme.lower() in _SCHEMES else []
    if scheme.lower() == "basic":
        found.append(_basic_password(value))
    return found


def _basic_password(value: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
