"""Settings of OTLP's own port."""

from __future__ import annotations

from pydantic import field_validator

from streamgauge.app.config.intake import Server
from streamgauge.app.config.section import Section


class Otlp(Section):
    """[OpenTelemetry](otlp.md) over gRPC; over HTTP it is taken at `/v1/metrics` in any case."""

    grpc: str | None = None
    """HOST:PORT to take OTLP/gRPC at, such as `127.0.0.1:4317`; default: it is not taken. On an
    address that is not loopback, `[auth] tokens` are required."""

    @field_validator("grpc")
    @classmethod
    def _has_host_and_port(cls, value: str | None) -> str | None:
        return value if value is None else Server._has_host_and_port(value)

    @property
    def server(self) -> Server | None:
        """The same, as an address."""
        return None if self.grpc is None else Server(listen=self.grpc)
