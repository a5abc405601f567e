"""What `replay` keeps follows the clock that it simulates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamgauge.app.commands.replay import decide, load
from streamgauge.app.configuration import load as load_configuration
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.views import Filters
from streamgauge.model.words import Kind
from streamgauge.store import Store, StoreSettings

pytestmark = pytest.mark.chdb
START = 29_000_160
"""A minute since the epoch: midnight of 2025-02-20, years before any clock of ours."""
DAYS = 9


def reports() -> Iterator[str]:
    """A customer's messages every ten minutes, and a line that is no line."""
    yield "messages count=\n"
    for minute in range(START, START + DAYS * 1440, 10):
        yield f"messages,tenant=acme count=5i {minute * 60}000000000\n"


def test_lines_are_forgotten_as_the_simulated_clock_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "history.lp"
    file.write_text("".join(reports()))
    clock = SimulatedClock()
    folder = tmp_path / "data"
    store = Store(f"chdb://{folder}/store", folder, clock, StoreSettings())
    store.open()
    try:
        loaded = load([file], store)
        assert days_of(store, "messages", 86_400 * 10**9) == DAYS, "nothing is too old at first"
        (refused,) = store._engine.query("SELECT time_ns FROM rejected").to_pylist()
        assert refused["time_ns"] == START * 60 * 10**9, "it came when the first line did"
        decide(store, clock, load_configuration(None, {}), loaded)
        assert clock.now() >= (START + DAYS * 1440 - 10) * 60
        assert days_of(store, "messages", 86_400 * 10**9) == 8, "seven whole days, and the last"
        assert days_of(store, "minute", 1440) == DAYS, "minutes are kept for longer"
        every = store.overview(START * 60, (START + DAYS * 1440) * 60, Filters())
        assert every.messages == 5 * DAYS * 144
    finally:
        store.close()


def days_of(store: Store, table: str, unit: int) -> int:
    column = "time_ns" if table == "messages" else table
    sql = f"SELECT uniqExact(intDiv({column}, {unit})) AS n FROM {table}"
    return int(store._engine.query(sql).column("n")[0].as_py())


def through_routers(dies_at: int, minutes: int) -> Iterator[str]:
    """Twelve customers on three routers; one router stops, and its customers with it."""
    for minute in range(START, START + minutes):
        for number in range(12):
            router = number % 3
            if router != 1 or minute < START + dies_at:
                tags = f"tenant=t{number:02d},stage=delivered,host=eu-{router}"
                yield f"messages,{tags} count=2i {minute * 60 + number}000000000\n"


def test_a_router_that_stops_in_the_history_is_one_incident(tmp_path: Path) -> None:
    file = tmp_path / "history.lp"
    file.write_text("".join(through_routers(dies_at=900, minutes=930)))
    clock, folder = SimulatedClock(), tmp_path / "data"
    store = Store(f"chdb://{folder}/store", folder, clock, StoreSettings())
    store.open()
    try:
        loaded = load([file], store)
        (found,) = decide(store, clock, load_configuration(None, {}), loaded)
    finally:
        store.close()
    assert (found.kind, found.key) == (Kind.BLIND, "blind/*/*/*/*/eu-1")
    assert set(found.affected) == {"t01", "t04", "t07", "t10"}
    assert found.since == 60.0 * (START + 899) + 10
