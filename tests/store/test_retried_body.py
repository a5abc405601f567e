"""A body that is sent again counts once in every table, also over a restart and in `rejected`."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.store.lines import NOW, body
from tests.store.test_store_life import LINE, running

from streamgauge.model.batch import RejectedLine
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
RAW = ("messages", "queue", "points", "rejected")
SUMS = ("minute", "hour", "day")
HOURS_LATER = NOW + 23 * 3600


def counts(store: Store) -> dict[str, int]:
    asked = {name: f"(SELECT toUInt64(count()) FROM {name})" for name in RAW}
    asked |= {name: f"(SELECT toUInt64(sum(count)) FROM {name})" for name in SUMS}
    asked["seen_minute"] = "(SELECT toUInt64(sum(lines)) FROM seen_minute)"
    sql = "SELECT " + ", ".join(f"{text} AS {name}" for name, text in asked.items())
    (found,) = store._engine.query(sql).to_pylist()
    return dict(found)


def test_a_retried_body_counts_once_in_every_table(folder: Path) -> None:
    sent = body(
        [LINE, LINE],
        queue=[{"at": NOW, "queue": "q", "backlog": 1.0}],
        points=[{"at": NOW, "measurement": "cpu", "field": "busy", "value": 1.0}],
        rejected=[RejectedLine(3, "messages count=x", "count is no number", "acme")],
    )
    once = {"messages": 2, "queue": 1, "points": 1, "rejected": 1}
    once |= dict.fromkeys(SUMS, 2) | {"seen_minute": 4}
    with running(folder) as store:
        assert store.write(sent, b"key", NOW)
        assert not store.write(sent, b"key", NOW + 1)
        assert store.settle(30)
        assert counts(store) == once
    with running(folder) as store:
        assert not store.write(sent, b"key", HOURS_LATER)
        assert store.settle(30)
        assert counts(store) == once


def test_a_body_of_refused_lines_alone_counts_once_too(folder: Path) -> None:
    refused = body(rejected=[RejectedLine(1, "x", "no field", "acme")])
    with running(folder) as store:
        assert store.write(refused, b"key", NOW)
        assert not store.write(refused, b"key", NOW)
        assert store.settle(30)
        assert counts(store)["rejected"] == 1
