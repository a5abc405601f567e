"""What goes wrong between a collector and its broker, in plain words: what, where, what to do."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

from streamgauge.model.errors import StreamgaugeError
from streamgauge.model.gatherer import Fault

MAX_TEXT = 300


class CollectorFault(StreamgaugeError):
    """A broker could not be read."""

    def __init__(self, fault: Fault, text: str) -> None:
        super().__init__(text)
        self.fault = fault


def explain(error: BaseException, where: str) -> CollectorFault:
    """The words for an exception of any library.

    Args:
        error: its causes, and the members of a group, are looked at too.
        where: host and port.
    """
    for one in _chain(error):
        found = _known(one, where)
        if found:
            return found
    text = " ".join(str(error).split())[:MAX_TEXT]
    return CollectorFault(Fault.ANSWER, f"{where}: {type(error).__name__}: {text}")


def hangs(where: str, timeout_s: float) -> CollectorFault:
    """It takes connections, or lets them wait, and does not answer."""
    return CollectorFault(
        Fault.HANGS,
        f"{where} does not answer within {timeout_s:g} s: look whether it hangs or is overloaded, "
        "or allow more time by `timeout`",
    )


def wrong_credentials(where: str, user: str) -> CollectorFault:
    """It does not let us in."""
    who = f"user {user}" if user else "nobody: no user is given"
    return CollectorFault(
        Fault.CREDENTIALS,
        f"{where} does not accept the credentials ({who}): check user and password, "
        "and whether they have expired",
    )


def not_permitted(where: str, user: str, what: str) -> CollectorFault:
    """It lets us in, and no further."""
    return CollectorFault(
        Fault.PERMISSION, f"{where} does not let {user or 'us'} {what}: give that permission"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what caused it, outermost first; each once."""
    waiting, known = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) in known:
            continue
        known.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(one.exceptions)
        waiting.extend(cause for cause in (one.__cause__, one.__context__) if cause)


def _known(error: BaseException, where: str) -> CollectorFault | None:
    fault, text = None, ""
    match error:
        case CollectorFault():
            return error
        case socket.gaierror():
            fault, text = Fault.REFUSED, f"{where}: no machine has that name: check `url`"
        case ssl.SSLError():
            why = error.reason or error
            fault, text = Fault.REFUSED, f"{where}: no TLS: {why}: check `url` and certificates"
        case ConnectionResetError() | BrokenPipeError() | EOFError():
            fault, text = Fault.CUT, f"{where} {_CUT}"
        case OSError() if _is_refused(error):
            fault, text = Fault.REFUSED, f"{where} {_REFUSED}"
        case OSError() if error.errno in _NO_WAY:
            text = f"{where} cannot be reached: {error.strerror}: check the network"
            fault = Fault.REFUSED
        case TimeoutError():
            fault, text = Fault.HANGS, f"{where} {_HANGS}"
    return CollectorFault(fault, text) if fault else None


_REFUSED = "refuses connections: look whether it runs, and whether host and port are right"
_CUT = "cut the connection: look whether it was stopped or restarted"
_HANGS = "does not answer in time: look whether it hangs or is overloaded"
_NO_WAY = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN}


def _is_refused(error: OSError) -> bool:
    """Of several addresses, asyncio makes one text without a number."""
    is_named = isinstance(error, ConnectionRefusedError) or error.errno == errno.ECONNREFUSED
    return is_named or f"[Errno {errno.ECONNREFUSED}]" in str(error)
