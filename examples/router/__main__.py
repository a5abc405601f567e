"""`python -m examples.router`: run one router."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence

import httpx
from examples.router.clock import LiveClock
from examples.router.fleet import SEED, VENDORS, customers
from examples.router.lines import Identity
from examples.router.queues import make_queue
from examples.router.reporting import make_reporting
from examples.router.routes import Routes
from examples.router.service import Service, Settings
from examples.router.serving import serving, until_told_to_stop

VERSION = "1.0.0"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM."""
    options = parse(arguments)
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    asyncio.run(until_told_to_stop(run(options)))
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m examples.router", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8700, help="ingest of customers' events")
    parser.add_argument("--queue", choices=("memory", "rabbitmq", "nats"), default="memory")
    parser.add_argument("--queue-url", default="", help="of RabbitMQ or NATS; default: local")
    parser.add_argument("--queue-prefix", default="router", help="of the names of its queues")
    parser.add_argument("--vendors", default="http://127.0.0.1:8701", help="the vendors' address")
    parser.add_argument("--report", default="http://127.0.0.1:8686", help="streamgauge's address")
    parser.add_argument("--reporting", choices=("client", "otel"), default="client")
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between reports")
    parser.add_argument("--name", default="router-1", help="the `router` tag of its reports")
    parser.add_argument("--seed", type=int, default=SEED, help="of the customers")
    return parser.parse_args(arguments)


async def run(options: argparse.Namespace) -> None:
    """Serve until cancelled."""
    settings = Settings(
        vendors_url=options.vendors,
        integrations=[vendor.name for vendor in VENDORS],
        interval_s=options.interval,
    )
    clock, routes = LiveClock(), Routes.of(customers(options.seed))
    queue = make_queue(options.queue, options.queue_url, clock, options.queue_prefix)
    identity = Identity(options.name, VERSION)
    reporting = make_reporting(options.reporting, options.report, identity, options.interval)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200)
    async with httpx.AsyncClient(
        trust_env=False, timeout=settings.vendor_timeout_s, limits=limits
    ) as to_vendors:
        service = Service(settings, routes, queue, clock, to_vendors, reporting)
        async with service.running(), serving(service.app, options.host, options.port):
            sys.stderr.write(f"router {os.getpid()} takes events on port {options.port}\n")
            await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
