"""Settings of targets that are scraped."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from streamgauge.app.config.section import Section
from streamgauge.app.config.units import Duration, Size
from streamgauge.receive.collectors.address import shown

_LONGEST_TIMEOUT_S = 10.0


class Scrape(Section):
    """A target that shows its figures as Prometheus reads them: [Prometheus](prometheus.md#scrape).
    As often as there are targets.
    """

    url: str
    """`http(s)://host:port/metrics`."""
    name: str | None = None
    """How the target is called on pages and in incidents; default: its host and port."""
    every: Duration = Field(default=15.0, ge=0.1)
    """Between two scrapes."""
    timeout: Duration | None = Field(default=None, gt=0)
    """What one scrape may take; default: `every`, and 10 s at most."""
    labels: dict[str, str] = {}  # noqa: RUF012 (pydantic copies it)
    """Added to every series, beside `instance`, the target's host and port. A label that the target
    gives by the same name becomes `exported_…`."""
    username: str = ""
    """For Basic authentication."""
    password: SecretStr = SecretStr("")
    """It is never shown or logged."""
    password_file: str = ""
    """A file that holds the password alone; it is read again at each scrape."""
    bearer_token: SecretStr = SecretStr("")
    """Sent as `Authorization: Bearer …`. It is never shown or logged."""
    bearer_token_file: str = ""
    """A file that holds the token alone; it is read again at each scrape."""
    headers: dict[str, SecretStr] = {}  # noqa: RUF012
    """Sent with each scrape."""
    ca_file: str = ""
    """PEM file of whom to trust by `https`; default: whom this machine trusts."""
    cert_file: str = ""
    """PEM file of the certificate that we show."""
    key_file: str = ""
    """PEM file of its key, where that is not in `cert_file`."""
    verify: bool = True
    """Off: any certificate is taken."""
    max_body: Size = 5_000_000
    """A target that shows more, as sent or unzipped, is told as failing."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"http://host:port/metrics or https://…; given {shown(value)}")
        return value

    @model_validator(mode="after")
    def _authenticates_once(self) -> Self:
        secrets = {
            "password": self.password.get_secret_value(),
            "password_file": self.password_file,
            "bearer_token": self.bearer_token.get_secret_value(),
            "bearer_token_file": self.bearer_token_file,
        }
        given = [name for name, secret in secrets.items() if secret]
        if len(given) > 1:
            raise ValueError(f"one of {' and '.join(given)}, not both")
        if self.timeout is not None and self.timeout > self.every:
            raise ValueError("timeout is at most every")
        return self

    @property
    def timeout_s(self) -> float:
        """What one scrape may take."""
        return min(self.every, _LONGEST_TIMEOUT_S) if self.timeout is None else self.timeout
