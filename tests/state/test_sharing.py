"""Several workers, threads and processes on one database; one of them killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.alert.incident_world import finding
from tests.state.incident_story import to, turn

from streamgauge.alert import actions
from streamgauge.model.clock import SimulatedClock
from streamgauge.state.database import make_engine, transaction
from streamgauge.state.outbox import claim_due
from streamgauge.state.state import State

ROOT = Path(__file__).parents[2]


def test_workers_at_once_never_hold_one_notification_twice(state: State, state_url: str) -> None:
    turn(state, 1_000, [finding(f"t{n}") for n in range(60)])
    workers = [State(state_url, SimulatedClock(1_000)) for _ in range(3)]

    def work(worker: State) -> list[str]:
        taken: list[str] = []
        while claimed := worker.claim_due(1_000, 4, 60, str(id(worker))):
            taken += [one.id for one in claimed]
            for one in claimed:
                worker.delivered(one.id, 1_001, "")
        return taken

    with ThreadPoolExecutor(len(workers)) as threads:
        taken = Counter(name for names in threads.map(work, workers) for name in names)
    # A worker that skips what another one is just taking may stop early, but none is taken twice.
    assert set(taken.values()) == {1}
    rest = state.claim_due(1_000, 100, 60, "last")
    assert len(taken) + len(rest) == 60
    for worker in workers:
        worker.close()


def test_detection_in_two_places_opens_one_incident_a_key(state: State, state_url: str) -> None:
    others = [State(state_url, SimulatedClock(1_000)) for _ in range(3)]
    findings = [finding(f"t{n}") for n in range(10)]
    with ThreadPoolExecutor(len(others)) as threads:
        opened = list(threads.map(lambda other: len(turn(other, 1_000, findings)), others))
    assert sum(opened) == 10
    assert len(state.list_incidents()) == 10
    for other in others:
        other.close()


def test_acts_of_many_people_at_once_are_all_kept(state: State, state_url: str) -> None:
    (change,) = turn(state, 1_000, [finding()])

    def write(n: int) -> None:
        state.act(
            change.incident.id, lambda one, now: actions.note(one, f"kim-{n}", "hm", now), to()
        )

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(write, range(12)))
    timeline = state.get_incident(change.incident.id).timeline
    assert {entry.actor for entry in timeline[1:]} == {f"kim-{n}" for n in range(12)}


def test_a_closing_waits_for_a_claim_that_is_being_made(state: State, state_url: str) -> None:
    if not state_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer at a time")
    (change,) = turn(state, 1_000, [finding()])
    engine = make_engine(state_url)
    with ThreadPoolExecutor(1) as threads:
        with transaction(engine, is_write=True) as connection:
            claimed = claim_due(connection, 1_010, 10, 60, "one", None)
            closing = threads.submit(turn, state, 1_010, [])
            waits = text(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            while not connection.execute(waits).scalar():
                assert not closing.done()
        assert len(closing.result()) == 1
    engine.dispose()
    assert [one.action for one in claimed] == ["create"]
    kept = [f"{one.action} {one.state}" for one in state.list_notifications(change.incident.id)]
    assert kept == ["create pending", "close pending"]


@pytest.mark.process
@pytest.mark.parametrize(("stage", "free_at"), [("applied", 1_000), ("claimed", 1_060)])
def test_what_was_applied_before_a_kill_is_there_after_it(
    state: State, state_url: str, stage: str, free_at: float
) -> None:
    script = """
        import os, signal, sys
        from streamgauge.model.clock import SimulatedClock
        from streamgauge.state.state import State
        from tests.alert.incident_world import finding
        from tests.state.incident_story import turn
        state = State(sys.argv[1], SimulatedClock(1_000))
        state.open()
        turn(state, 1_000, [finding()])
        if sys.argv[2] == "claimed":
            state.claim_due(1_000, 10, 60, "killed")
        os.kill(os.getpid(), signal.SIGKILL)
    """
    end = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), state_url, stage],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        check=False,
    )
    assert end.returncode == -signal.SIGKILL
    assert turn(state, 1_000, [finding()]) == []
    assert len(state.open_incidents()) == 1
    assert state.claim_due(free_at - 0.5, 10, 60, "next") == []
    (one,) = state.claim_due(free_at, 10, 60, "next")
    state.delivered(one.id, free_at, "")
    assert state.claim_due(99_999, 10, 60, "next") == []
