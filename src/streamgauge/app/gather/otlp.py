"""OTLP's own port: whether it may be opened, and what listens on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.app.serve.auth import is_known
from streamgauge.app.serve.server import free_address
from streamgauge.model.errors import ConfigError
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.meaning.metering import Metering

if TYPE_CHECKING:
    from streamgauge.receive.otlp.grpc_server import OtlpListener


def check_otlp(configuration: Configuration) -> None:
    """Whether it can be listened on, and by whom it can be reached.

    Raises:
        ConfigError: in use, or open to other machines without a token.
    """
    server = configuration.otlp.server
    if server is None:
        return
    if not server.is_loopback and not configuration.auth.tokens:
        raise ConfigError(
            f"[otlp] grpc = {server.listen} can be reached by other machines, and no token is set: "
            "set [auth] tokens (or STREAMGAUGE_AUTH__TOKENS_FILE), or listen on 127.0.0.1"
        )
    if server.port and server.port == configuration.server.port:
        raise ConfigError(f"[otlp] grpc = {server.listen}: the port is that of [server] listen")
    free_address(server, by="[otlp] grpc")


def otlp_listeners(
    configuration: Configuration, metering: Metering, registry: GathererRegistry
) -> list[OtlpListener]:
    """The one that is configured, if it is; gRPC is read only then."""
    if configuration.otlp.grpc is None:
        return []
    from streamgauge.receive.otlp.grpc_server import OtlpListener

    tokens = [token.get_secret_value() for token in configuration.auth.tokens]
    limits = wiring.receive_limits(configuration)
    known = (lambda given: is_known(given, tokens)) if tokens else None
    pulse = registry.add(OtlpListener.name, "otlp", configuration.otlp.grpc)
    return [OtlpListener(metering, limits, configuration.otlp.grpc, pulse, known)]
