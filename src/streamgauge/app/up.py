"""`streamgauge up`: what starts, in which order, and how it ends.

Start: the address is proven free → the data folder is locked, the journal read, the engine started
→ the state's database migrated → the loops → the server. What needs the engine waits for it in its
own loop: inserting, and detection, which learns from history first. The end is the same backwards,
so that nothing is taken in that could not be kept.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog
from starlette.types import ASGIApp

from streamgauge import __version__
from streamgauge.app import wiring
from streamgauge.app.auth import TokenGate
from streamgauge.app.care import cares
from streamgauge.app.configuration import Configuration
from streamgauge.app.engine import open_store
from streamgauge.app.judge import Judge
from streamgauge.app.kept_refusals import KeptRefusals
from streamgauge.app.known_series import KnownSeries
from streamgauge.app.operations import OwnOperations
from streamgauge.app.server import free_address, serve
from streamgauge.app.watch import Watch
from streamgauge.detect.detector import Detector
from streamgauge.model.clock import Clock, SystemClock
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.page.delivery import Delivery
from streamgauge.page.notifiers.build import build_notifier
from streamgauge.receive.gates import Gates
from streamgauge.receive.routes import routes
from streamgauge.state.state import State
from streamgauge.store import Store
from streamgauge.web.application import create_app

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """What is open while we serve."""

    store: Store
    state: State
    watch: Watch
    clock: Clock
    gates: Gates
    keepers: tuple[KnownSeries, KeptRefusals]


def run(configuration: Configuration) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        ConfigError: open to others without tokens, or the address cannot be listened on.
        StoreError: the data folder cannot be used; says why and what to do.
    """
    _refuse_open_door(configuration)
    host, port = free_address(configuration.server)
    folder = wiring.data_folder(configuration)
    _make_folder(folder)
    clock = SystemClock()
    with ExitStack() as stack:
        store = open_store(configuration, clock, stack)
        state = State(wiring.state_url(configuration), clock)
        state.open()
        stack.callback(state.close)
        gates = wiring.gates(configuration, clock)
        keepers = (
            KnownSeries(folder / "series.npy", gates.guard),
            KeptRefusals(folder / "refused.json", gates.ledger),
        )
        for keeper in keepers:
            keeper.load()
            stack.callback(keeper.save)
        watch = _watch(configuration, store, state, clock)
        parts = Parts(store, state, watch, clock, gates, keepers)
        asyncio.run(_serve(configuration, parts, (host, port)))
    log.info("streamgauge has stopped")


def _refuse_open_door(configuration: Configuration) -> None:
    if not configuration.server.is_loopback and not configuration.auth.tokens:
        raise ConfigError(
            f"{configuration.server.listen} can be reached by other machines, and no token is set: "
            "set [auth] tokens (or STREAMGAUGE_AUTH__TOKENS_FILE), or listen on 127.0.0.1"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"the data folder {folder} cannot be made ({error.strerror}): "
            "give another by --data, or allow this user to write there",
            permanent=True,
        ) from error


def _watch(configuration: Configuration, store: Store, state: State, clock: Clock) -> Watch:
    detector = Detector(wiring.expectations(configuration))
    judge = Judge(detector, wiring.rules(configuration), store)
    router = wiring.router(configuration)
    return Watch(store, judge, state, router, clock, configuration.detect.tick, store.waiting_since)


async def _serve(configuration: Configuration, parts: Parts, address: tuple[str, int]) -> None:
    """The loops and the server, until a signal; loops end before what they use is closed."""
    async with httpx.AsyncClient() as client:
        settings = wiring.notifiers(configuration)
        notifiers = {name: build_notifier(one, client) for name, one in settings.items()}
        owner = f"{socket.gethostname()}:{os.getpid()}"
        delivery = Delivery(parts.state, notifiers, parts.clock, owner=owner)
        await delivery.retire()
        stop = asyncio.Event()
        delivering = asyncio.create_task(delivery.run(stop))
        caring = [asyncio.create_task(care) for care in cares(parts.store, *parts.keepers)]
        parts.watch.start()
        try:
            application = _application(configuration, parts)
            await serve(application, *address, on_started=_greet(configuration, address[1]))
        finally:
            for task in caring:
                task.cancel()
            await asyncio.to_thread(parts.watch.stop)
            stop.set()
            await delivering


def _application(configuration: Configuration, parts: Parts) -> ASGIApp:
    limits = wiring.receive_limits(configuration)
    application = create_app(
        metrics=parts.store,
        incidents=parts.state,
        operations=OwnOperations(parts.store, parts.watch, parts.state, parts.gates.ledger),
        clock=parts.clock,
        extra_routes=routes(parts.store, parts.clock, limits, parts.gates),
    )
    tokens = [token.get_secret_value() for token in configuration.auth.tokens]
    return TokenGate(application, tokens) if tokens else application


def _greet(configuration: Configuration, port: int) -> Callable[[], None]:
    def greet() -> None:
        log.info(
            f"streamgauge {__version__} is up at {wiring.public_url(configuration, port)}",
            data=str(wiring.data_folder(configuration)),
        )

    return greet
