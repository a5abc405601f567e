"""`streamgauge up`: what starts, in which order, and how it ends.

Start: the address is proven free → the data folder is locked, the journal read, the engine started
→ the state's database migrated → the loops → the server. What needs the engine waits for it in its
own loop: inserting, and detection, which learns from history first. What the disk refuses is tried
again while we serve (`opening`). The end is the same backwards, so that nothing is taken in that
could not be kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import httpx
import structlog
from starlette.types import ASGIApp

from streamgauge import __version__
from streamgauge.app import wiring
from streamgauge.app.budget.governor import Governor
from streamgauge.app.budget.lean import allocate_sparingly, switch_often
from streamgauge.app.configuration import Configuration
from streamgauge.app.decide.expected import OwnExpectations, own_expectations
from streamgauge.app.decide.explaining import Explainer
from streamgauge.app.decide.judge import Judge
from streamgauge.app.decide.watch import Watch
from streamgauge.app.gather.collecting import own_findings
from streamgauge.app.gather.gathering import gather, gatherers
from streamgauge.app.gather.leasing import Leasing
from streamgauge.app.gather.listening import check_listeners
from streamgauge.app.gather.otlp import check_otlp
from streamgauge.app.moves.control import Control
from streamgauge.app.roles import (
    DETECT_LEASE,
    LEASE_S,
    SILENT_AFTER_S,
    Roles,
    check_roles,
    shared_of,
    sharing_of,
)
from streamgauge.app.serve.auth import TokenGate
from streamgauge.app.serve.operations import OwnOperations, not_understood
from streamgauge.app.serve.server import free_address, serve
from streamgauge.app.upkeep.care import cares, deciding_cares
from streamgauge.app.upkeep.engine import make_store
from streamgauge.app.upkeep.kept_refusals import KeptRefusals
from streamgauge.app.upkeep.known_series import KnownSeries
from streamgauge.app.upkeep.opening import Opening
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.clock import Clock, SystemClock
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.page.delivery import Delivery
from streamgauge.page.notifiers.build import build_notifier
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.intake import Intake
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.messages.left_out import LeftOut
from streamgauge.receive.routes import routes
from streamgauge.receive.workshop import Workshop
from streamgauge.state.sharing import Shared
from streamgauge.state.state import State
from streamgauge.store import Store
from streamgauge.web.answers import Sources
from streamgauge.web.application import create_app
from streamgauge.web.split import create_receiver, elsewhere_routes

log = structlog.get_logger()

RETIRE_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """What we serve from, and what opens it."""

    roles: Roles
    shared: Shared | None
    opening: Opening
    store: Store
    state: State
    watch: Watch
    expected: OwnExpectations
    clock: Clock
    intake: Intake
    metering: Metering
    keepers: tuple[KnownSeries, KeptRefusals]
    governor: Governor
    control: Control
    registry: GathererRegistry


def run(configuration: Configuration, roles: Roles | None = None) -> None:
    """Run until SIGTERM or SIGINT, for some roles or for all of them.

    Raises:
        ConfigError: the roles cannot be had on what is configured; open to others without tokens;
            or the address cannot be listened on.
        StoreError: the data folder cannot be used; says why and what to do.
    """
    allocate_sparingly()
    switch_often()
    roles = roles or Roles()
    check_roles(roles, configuration)
    _refuse_open_door(configuration)
    if roles.receives:
        check_otlp(configuration)
        check_listeners(configuration)
    host, port = free_address(configuration.server)
    folder = wiring.data_folder(configuration)
    clock = SystemClock()
    with ExitStack() as stack:
        state = State(wiring.state_url(configuration), clock)
        stack.callback(state.close)
        shared = shared_of(configuration, state, clock)
        if shared and roles.receives:
            stack.callback(_leave, shared)
        sharing = sharing_of(roles, shared)
        store, open_store, engine_held_bytes = make_store(configuration, clock, stack, sharing)
        gates = wiring.gates(configuration, clock)
        intake = Intake(store, gates, wiring.redaction(configuration))
        metering = Metering(intake, wiring.meaning(configuration))
        stack.callback(metering.close)
        keepers = (
            KnownSeries(folder / "series.npy", gates.guard),
            KeptRefusals(folder / "refused.json", gates.ledger),
        )
        governor = Governor(
            store,
            clock,
            folder / "governor.json",
            wiring.governor_settings(configuration),
            lambda: gates.guard.known_count,
            engine_held_bytes,
        )
        loads = (governor.load, *(keeper.load for keeper in keepers))
        counted = (metering.open,) if roles.receives else ()
        opening = Opening(folder, (open_store, *counted, state.open, *loads))
        opening.begin()
        for keeper in keepers:
            stack.callback(keeper.save)
        registry = GathererRegistry(clock)
        expected = own_expectations(configuration, state, clock)
        said = expected.said
        watch = _watch(configuration, store, state, clock, shared, governor, registry, said)
        expected.routers_from(watch.routers)
        store.capacity_from(watch.capacity)
        control = Control(folder, port, store, configuration)
        stack.callback(control.close)
        parts = Parts(
            roles=roles,
            shared=shared,
            opening=opening,
            store=store,
            state=state,
            watch=watch,
            expected=expected,
            clock=clock,
            intake=intake,
            metering=metering,
            keepers=keepers,
            governor=governor,
            control=control,
            registry=registry,
        )
        asyncio.run(_serve(configuration, parts, (host, port)))
    log.info("streamgauge has stopped")


def _leave(shared: Shared) -> None:
    with contextlib.suppress(StoreError):  # else it is not waited for after a while
        shared.leave()


def _refuse_open_door(configuration: Configuration) -> None:
    if not configuration.server.is_loopback and not configuration.auth.tokens:
        raise ConfigError(
            f"{configuration.server.listen} can be reached by other machines, and no token is set: "
            "set [auth] tokens (or STREAMGAUGE_AUTH__TOKENS_FILE), or listen on 127.0.0.1"
        )


def _watch(
    configuration: Configuration,
    store: Store,
    state: State,
    clock: Clock,
    shared: Shared | None,
    governor: Governor,
    registry: GathererRegistry,
    said: Callable[[], Expectations],
) -> Watch:
    detector = Detector(budget=wiring.false_pages(configuration))
    own = own_findings(registry, clock, governor.findings)
    judge = Judge(detector, wiring.rules(configuration), store, own=own)
    router = wiring.router(configuration)
    tick_s = configuration.detect.tick
    if shared is None:
        return Watch(store, judge, state, router, clock, tick_s, store.waiting_since, said=said)

    def waiting_since() -> float | None:
        return shared.waiting(SILENT_AFTER_S).since

    may_decide = partial(shared.hold, DETECT_LEASE, max(LEASE_S, 3 * tick_s))
    return Watch(store, judge, state, router, clock, tick_s, waiting_since, may_decide, said)


async def _serve(configuration: Configuration, parts: Parts, address: tuple[str, int]) -> None:
    """The loops and the server, until a signal; loops end before what they use is closed."""
    async with httpx.AsyncClient() as client:
        settings = wiring.notifiers(configuration)
        notifiers = {name: build_notifier(one, client) for name, one in settings.items()}
        owner = f"{socket.gethostname()}:{os.getpid()}"
        delivery = Delivery(parts.state, notifiers, parts.clock, owner=owner)
        stop = asyncio.Event()
        looping = asyncio.create_task(_loop(configuration, parts, delivery, stop))
        try:
            application = _application(configuration, parts)
            await serve(application, *address, on_started=_greet(configuration, address[1], parts))
        finally:
            stop.set()
            await looping


async def _loop(
    configuration: Configuration, parts: Parts, delivery: Delivery, stop: asyncio.Event
) -> None:
    """The loops, from the moment everything is open until `stop`."""
    if not await parts.opening.until_done(stop):
        return
    reporting = parts.shared if parts.roles.receives else None
    caring = [asyncio.create_task(one) for one in cares(parts.store, *parts.keepers, reporting)]
    gathering = asyncio.create_task(_gather(configuration, parts, stop))
    if parts.roles.decides:
        await _decide(parts, delivery, stop)
    await stop.wait()
    for task in caring:
        task.cancel()
    await gathering


async def _gather(configuration: Configuration, parts: Parts, stop: asyncio.Event) -> None:
    """What comes in beside the routes, until `stop`."""
    leases = parts.shared.leases if parts.shared else None
    if parts.roles.receives:
        ways = gatherers(configuration, parts.intake, parts.metering, parts.registry, leases)
        await gather(ways, stop)
    elif leases:
        await gather([Leasing(leases, [], parts.registry)], stop)


async def _decide(parts: Parts, delivery: Delivery, stop: asyncio.Event) -> None:
    """Detect and tell, until `stop`."""
    if not await _retire(delivery, stop):
        return
    delivering = asyncio.create_task(delivery.run(stop))
    caring = [asyncio.create_task(one) for one in deciding_cares(parts.shared)]
    caring.append(asyncio.create_task(parts.governor.run()))
    parts.watch.start()
    await stop.wait()
    for task in caring:
        task.cancel()
    await asyncio.to_thread(parts.watch.stop)
    await delivering
    if parts.shared:
        with contextlib.suppress(StoreError):  # else it ends by itself
            await asyncio.to_thread(parts.shared.release, DETECT_LEASE)


async def _retire(delivery: Delivery, stop: asyncio.Event) -> bool:
    """Give up notifications of notifiers that are gone, as soon as the database lets us."""
    while not stop.is_set():
        try:
            await delivery.retire()
        except StoreError as error:
            log.warning("nobody is told yet", reason=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETIRE_AGAIN_S)
        else:
            return True
    return False


def _application(configuration: Configuration, parts: Parts) -> ASGIApp:
    limits = wiring.receive_limits(configuration)
    left_out = LeftOut(parts.clock)
    operations = OwnOperations(
        parts.store,
        parts.watch,
        parts.state,
        parts.intake.gates.ledger,
        parts.opening.problems,
        parts.governor.budget,
        parts.registry.all,
        lambda: not_understood(parts.metering.strangers, left_out),
        parts.metering.remembered if parts.roles.receives else dict,
        parts.registry.here,
    )
    receiving = elsewhere_routes()
    if parts.roles.receives:
        receiving = routes(
            Workshop(parts.intake, limits), parts.metering, parts.intake.redaction, left_out
        )
    receiving = [*receiving, *parts.control.routes()]
    sources = Sources(parts.store, parts.state, operations, parts.clock)
    application: ASGIApp = (
        create_app(
            parts.store,
            parts.state,
            operations,
            parts.clock,
            receiving,
            parts.expected,
            configuration.journeys.whole_for,
            Explainer(
                parts.store, wiring.false_pages(configuration), parts.expected.said, parts.clock
            ),
            parts.store,
        )
        if parts.roles.decides
        else create_receiver(sources, receiving)
    )
    tokens = [token.get_secret_value() for token in configuration.auth.tokens]
    return TokenGate(application, tokens) if tokens else application


def _greet(configuration: Configuration, port: int, parts: Parts) -> Callable[[], None]:
    def greet() -> None:
        parts.control.write()
        log.info(
            f"streamgauge {__version__} is up at {wiring.public_url(configuration, port)}",
            data=str(wiring.data_folder(configuration)),
        )

    return greet
