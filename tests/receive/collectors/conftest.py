"""Settings of collectors, and brokers of the tests' own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests import services

from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.naming import Naming


def settings_of(
    kind: str, url: str, *, naming: Naming | None = None, **more: Any
) -> CollectorSettings:
    """Of a collector that looks often; `more` beside the address are options of its kind."""
    address = {
        name: more.pop(name) for name in ("username", "password", "password_file") if name in more
    }
    return CollectorSettings(
        kind,
        f"test-{kind}",
        Address(url, **address),
        every_s=more.pop("every_s", 0.1),
        timeout_s=more.pop("timeout_s", 10.0),
        naming=naming or Naming(),
        options=more,
    )


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """A Redis of this module's own."""
    with services.running(services.redis(tmp_path_factory.mktemp("redis"))) as service:
        yield service


@pytest.fixture(scope="module")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """A NATS of this module's own."""
    with services.running(services.nats(tmp_path_factory.mktemp("nats"))) as service:
        yield service


@pytest.fixture(scope="module")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Service]:
    """A PostgreSQL of this module's own."""
    with services.running(services.postgresql(tmp_path_factory.mktemp("postgresql"))) as service:
        yield service


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.Rabbit]:
    """A RabbitMQ of this module's own."""
    with services.running(services.rabbitmq(tmp_path_factory.mktemp("rabbitmq"))) as service:
        assert isinstance(service, services.Rabbit)
        yield service
