"""`plan`: what it reads, what it refuses, and whether a filled store is as large as it says."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from bench.constants import stored

from streamgauge.app.commands.plan import parse_count, plan
from streamgauge.app.configuration import load
from streamgauge.govern.constants import measured
from streamgauge.govern.hop_sizing import Journeys, hop_size
from streamgauge.govern.sizing import Kept, Workload, rows_per_day, size
from streamgauge.model.errors import ConfigError

FACTOR = 2.0
"""The plan may be wrong by so much: other flows and latencies take other bytes."""


def planned(**changes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"messages": "3M", "tenants": "100", "nodes": 0} | changes
    return json.loads(
        plan(
            load(None, {}),
            counts={
                "--messages-per-day": asked["messages"],
                "--tenants": asked["tenants"],
                "--sources": "2",
                "--integrations": "3",
                "--followed-per-day": asked.get("followed", "0"),
            },
            interval=asked.get("interval", "10s"),
            retentions={"raw": asked.get("raw"), "minute": None, "hour": None},
            nodes=asked["nodes"],
            as_json=True,
        )
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [("20000", 20_000), ("10k", 10_000), ("3M", 3e6), ("1.5G", 1.5e9), ("20,000", 20_000)],
)
def test_numbers_are_read_as_people_write_them(text: str, value: float) -> None:
    assert parse_count("--tenants", text) == value


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"messages": "abc"}, "--messages-per-day 'abc'"),
        ({"messages": "-3"}, "--messages-per-day '-3'"),
        ({"tenants": "0"}, "--tenants must be at least 1"),
        ({"messages": "1000T"}, "--messages-per-day"),
        ({"interval": "5"}, "--interval '5'"),
        ({"raw": "soon"}, "--retention 'soon'"),
        ({"nodes": -1}, "--nodes -1"),
        ({"followed": "-1"}, "--followed-per-day '-1'"),
        ({"followed": "4M"}, "--followed-per-day must be between 0 and the 3e[+]06 messages a day"),
    ],
)
def test_nonsense_is_refused_by_its_name(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        planned(**changes)


def test_each_kind_of_deployment_fits_somebody() -> None:
    assert planned()["deployment"]["kind"] == "one small machine"
    assert planned(messages="2G", tenants="20k")["deployment"]["kind"] == "one big machine"
    assert planned(messages="50G", tenants="300k")["deployment"]["kind"] == "cluster"
    asked = planned(nodes=3)["deployment"]
    assert (asked["kind"], asked["nodes"]) == ("cluster", 3)


def test_longer_retention_and_more_messages_take_more() -> None:
    least = planned()
    assert planned(raw="30d")["disk_bytes"] > least["disk_bytes"]
    assert planned(messages="30M")["cost"]["total"] > least["cost"]["total"]


def test_messages_that_are_followed_take_more_of_everything() -> None:
    least, some, all_ = planned(), planned(followed="1M"), planned(followed="3M")
    for name in ("disk_bytes", "cpus", "network_bytes_per_month", "lines_per_s"):
        assert least[name] < some[name] < all_[name], name
    assert all_["lines_per_s"] == pytest.approx(2 * 3e6 / 86_400), "each hop is a line of its own"
    assert least["kept_journeys_ratio"] is None
    assert "hops" not in [level["name"] for level in least["levels"]]
    huge = planned(messages="2G", tenants="20k", followed="2G")["deployment"]
    assert huge["kind"] == "cluster", "what fits one big machine in sums does not hop by hop"


HOPS = Journeys(whole_s=7200.0, kept_s=7 * 86_400.0, budget_bytes=2e9)


@pytest.mark.parametrize(
    ("hops_per_day", "gigabytes", "ratio"),
    [(1e6, 0.14, 1.0), (1e7, 1.4, 1.0), (1e8, 1.75, 0.11), (1e10, 1.75, 0.00055)],
    ids=["few", "those that fit", "more than fit", "all of the last hours are too many"],
)
def test_journeys_take_their_budget_and_no_more(
    hops_per_day: float, gigabytes: float, ratio: float
) -> None:
    found = hop_size(hops_per_day, 20.0, HOPS)
    assert found.size_bytes == pytest.approx(gigabytes * 1e9, rel=0.01)
    assert found.kept_ratio == pytest.approx(ratio, rel=0.05)


def test_rare_flows_have_a_row_a_message_and_busy_ones_a_row_a_minute() -> None:
    assert rows_per_day(10, 1000, 60) == pytest.approx(10, rel=0.01)
    assert rows_per_day(1e12, 1000, 60) == pytest.approx(1000 * 1440, rel=0.01)


@pytest.mark.chdb
def test_a_filled_store_is_as_large_as_planned(tmp_path: Path) -> None:
    """Other flows and another density than those that the constants were measured on."""
    span_s = 3600.0 if os.environ.get("STREAMGAUGE_NIGHTLY") else 900.0
    found = stored(tmp_path / "store", flows=400, every_s=20, span_s=span_s)
    constants = measured()
    for there, planned_bytes in (
        (found["minute_row"], constants.summed_row_bytes(3)),
        (found["raw_line"], constants.raw_bytes_per_line),
    ):
        assert planned_bytes / FACTOR <= there <= planned_bytes * FACTOR
    load_ = Workload(messages_per_day=1e6, tenants=10)
    kept = Kept(86_400.0, 2 * 86_400.0, 2 * 86_400.0, math.inf)
    raw = size(load_, kept, constants).levels[0]
    assert raw.size_bytes == pytest.approx(raw.rows * constants.raw_bytes_per_line)
