"""One target that is scraped: where it is, how it is asked, and what it answered at most."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from streamgauge import __version__
from streamgauge.model.gatherer import Fault
from streamgauge.receive.bodies import BodyTooLarge, decode
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.faults import (
    CollectorFault,
    not_permitted,
    wrong_credentials,
)
from streamgauge.receive.prometheus.exposition import ACCEPT

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Tls:
    """How an `https` target is checked, and how we show who we are; paths of PEM files."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    is_verified: bool = True


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """Of one target."""

    address: Address
    """Its user and password, where it has any, are for Basic authentication."""
    every_s: float = 15.0
    timeout_s: float = 10.0
    labels: Mapping[str, str] = field(default_factory=dict)
    """Added to every series."""
    bearer: Address | None = None
    """Holds a token as its password."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Tls = field(default_factory=Tls)
    max_body_bytes: int = 5_000_000
    db: str = "prometheus"

    @property
    def instance(self) -> str:
        """Host and port, as Prometheus names a target."""
        parts = self.address.parts
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 80)}"

    @property
    def all_labels(self) -> dict[str, str]:
        """With `instance`, unless that is among those that were given."""
        return {"instance": self.instance, **self.labels}


class Target:
    """Asks one target, over a connection that is kept. Lives on one event loop."""

    def __init__(self, settings: TargetSettings) -> None:
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def fetch(self) -> tuple[str, str]:
        """The text and its Content-Type.

        Raises:
            CollectorFault: it answers something else, or more than is taken.
            httpx.HTTPError, OSError: it cannot be reached.
        """
        settings = self._settings
        async with self._open().stream("GET", self._url, headers=self._headers()) as answer:
            self._check(answer.status_code)
            body, size = [], 0
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > settings.max_body_bytes:
                    raise self._too_large()
                body.append(chunk)
        try:
            encoding = answer.headers.get("content-encoding", "")
            plain = decode(b"".join(body), encoding, settings.max_body_bytes)
        except BodyTooLarge as error:
            raise self._too_large() from error
        return plain.decode(), answer.headers.get("content-type", "")

    async def close(self) -> None:
        """End the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @property
    def _url(self) -> str:
        return self._settings.address.parts._replace(netloc=self._settings.address.where).geturl()

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=_context(self._settings.tls) if self._url.startswith("https") else True,
                timeout=self._settings.timeout_s,
                follow_redirects=True,
                trust_env=False,
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        settings = self._settings
        headers = {
            "Accept": ACCEPT,
            "Accept-Encoding": "gzip",
            "User-Agent": f"streamgauge/{__version__}",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{settings.timeout_s:g}",
            **settings.headers,
        }
        if settings.bearer is not None:
            headers["Authorization"] = f"Bearer {settings.bearer.secret()}"
        elif settings.address.user:
            pair = f"{settings.address.user}:{settings.address.secret()}".encode()
            headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
        return headers

    def _check(self, status: int) -> None:
        address = self._settings.address
        match status:
            case 200:
                return
            case 401:
                raise wrong_credentials(address.where, address.user)
            case 403:
                raise not_permitted(address.where, address.user, f"read {address.parts.path}")
            case _:
                fault = Fault.GONE if status == 404 else Fault.ANSWER
                raise CollectorFault(
                    fault, f"{address.shown} answered {status} in place of 200: check `url`"
                )

    def _too_large(self) -> CollectorFault:
        limit = self._settings.max_body_bytes
        return CollectorFault(
            Fault.ANSWER,
            f"{self._settings.address.shown} shows more than {limit:,} bytes: show fewer series "
            "there, or allow more by `max_body`",
        )


def _context(tls: Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except OSError as error:
        text = f"`ca_file`, `cert_file` or `key_file` cannot be used: {error.strerror or error}"
        raise CollectorFault(Fault.CREDENTIALS, text) from error
    if not tls.is_verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
