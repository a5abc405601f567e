"""Which module reads which kind; it, and its library, is imported when one is configured."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from streamgauge.receive.collectors.collector import Collector, CollectorSettings

_HERE = "streamgauge.receive.collectors"
MODULES: dict[str, str] = {
    "rabbitmq": f"{_HERE}.rabbitmq",
    "nats": f"{_HERE}.nats",
    "redis": f"{_HERE}.redis",
    "postgresql": f"{_HERE}.postgresql",
    "kafka": f"{_HERE}.kafka",
    "sqs": f"{_HERE}.sqs",
    "pubsub": f"{_HERE}.pubsub",
}
"""Each has `make(settings) -> Collector`."""


def build_collector(settings: CollectorSettings) -> Collector:
    """The collector of that kind; blocks while its library is imported.

    Raises:
        ImportError: its library is not installed.
    """
    return cast(Collector, import_module(MODULES[settings.kind]).make(settings))
