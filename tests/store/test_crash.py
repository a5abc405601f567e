"""Killed at any time, restarted: every acknowledged line is there, once."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.store.crashing import ERRORS, LINES, NOW, SETTINGS, WEIGHT, numbered_body

from streamgauge.model.clock import SimulatedClock
from streamgauge.store import Store

pytestmark = [pytest.mark.chdb, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
KILLS = 4


def run_until_killed(folder: Path, first: int, bodies: int) -> int:
    """Kill the process right after its `bodies`-th acknowledgement; returns the last one."""
    command = [sys.executable, "-m", "tests.store.crashing", str(folder), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(bodies):
            assert process.stdout.readline()
        process.kill()
        rest = process.stdout.read().split("\n")[:-1]
    return int(rest[-1]) if rest else first + bodies - 1


def test_every_acknowledged_line_is_stored_once_after_each_of_several_kills(tmp_path: Path) -> None:
    chance = random.Random(7)
    next_number = 0
    for _ in range(KILLS):
        next_number = run_until_killed(tmp_path, next_number, chance.randint(1, 120)) + 1
    store = Store(f"chdb://{tmp_path}/engine", tmp_path, SimulatedClock(NOW), SETTINGS)
    store.open()
    try:
        assert store.flush(60)
        # A sender whose answer was lost sends again: the body of which only the answer was lost
        # is known, over the restart.
        store.write(numbered_body(next_number), b"%d" % next_number, NOW)
        assert store.flush(60)
        tenants = [f"t{number}" for number in range(next_number + 1)]
        for sums, table, each in (
            ("sum(count)", "messages", LINES),
            ("sum(weight)", "messages", WEIGHT),
            ("count()", "hops", LINES),
            ("uniqExact(id)", "hops", LINES),
            ("sum(count)", "error_minute", ERRORS),
        ):
            sql = f"SELECT tenant, {sums} AS n FROM {table} GROUP BY tenant"
            assert counts(store, sql) == dict.fromkeys(tenants, each), sql
        assert store.settle(60)
        histogram = "sum(arraySum(mapValues(latency_hist)))"
        for level in ("minute", "hour", "day"):
            for total, more in (("sum(count)", 0), (histogram, WEIGHT)):
                sql = f"SELECT tenant, {total} AS n FROM {level} GROUP BY tenant"
                assert counts(store, sql) == dict.fromkeys(tenants, LINES + more), level
            # One queue's line in each body, all with one time stamp: the last one holds.
            backlog = f"SELECT 'q' AS tenant, max(backlog_last).3 AS n FROM queue_{level}"
            assert counts(store, backlog) == {"q": next_number}, level
            fields = f"SELECT field AS tenant, max(last).3 AS n FROM point_{level} GROUP BY field"
            assert counts(store, fields) == {"backlog": next_number}, level
        assert counts(store, "SELECT 'q' AS tenant, count() AS n FROM queue") == {
            "q": next_number + 1
        }
        assert not store.write(numbered_body(0), b"0", NOW), "the first body's key is remembered"
    finally:
        store.close()


def counts(store: Store, sql: str) -> dict[str, int]:
    return {row["tenant"]: row["n"] for row in store._engine.query(sql).to_pylist()}
