"""Where a collector connects, and as whom; nothing secret is ever shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.faults import CollectorFault

_USER_INFO = re.compile(r"(?<=//)[^/@\s]*@")
_QUERY = re.compile(r"\?\S*")


def shown(url: str) -> str:
    """A URL for people: without user, password, query."""
    return _QUERY.sub("", _USER_INFO.sub("", url))


@dataclass(frozen=True, slots=True)
class Address:
    """A URL and the credentials for it."""

    url: str = field(default="", repr=False)
    username: str = ""
    """Wins over the one in the URL."""
    password: str = field(default="", repr=False)
    """Wins over the one in the URL."""
    password_file: str = ""
    password_variable: str = ""
    """Name of an environment variable."""

    @property
    def parts(self) -> SplitResult:
        """The URL taken apart."""
        return urlsplit(self.url)

    @property
    def shown(self) -> str:
        """For people."""
        return shown(self.url)

    @property
    def where(self) -> str:
        """Host and port, for sentences."""
        return self.parts.netloc.rpartition("@")[2] or self.shown

    @property
    def user(self) -> str:
        """Whom we connect as; empty: nobody."""
        return self.username or unquote(self.parts.username or "")

    def secret(self) -> str:
        """The password as it is now: file and variable are read again each time.

        Raises:
            CollectorFault: the file cannot be read, or the variable is not set.
        """
        if self.password_file:
            return read_secret(self.password_file)
        if self.password_variable:
            if self.password_variable not in os.environ:
                raise CollectorFault(
                    Fault.CREDENTIALS, f"the variable {self.password_variable} is not set: set it"
                )
            return os.environ[self.password_variable]
        return self.password or unquote(self.parts.password or "")

    def scrub(self, text: str) -> str:
        """`text` without the password, should a library have put it there."""
        for secret in (self.password, self.parts.password or "", self._known_secret()):
            if secret:
                text = text.replace(secret, "…").replace(unquote(secret), "…")
        return _USER_INFO.sub("", text)

    def _known_secret(self) -> str:
        try:
            return self.secret()
        except CollectorFault:
            return ""


def read_secret(path: str) -> str:
    """What a file holds, without the line's end.

    Raises:
        CollectorFault: it cannot be read; says why.
    """
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise CollectorFault(
            Fault.CREDENTIALS, f"the secret in {path} cannot be read: {why}"
        ) from None
