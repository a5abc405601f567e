"""How many flows are watched one by one."""

from __future__ import annotations

import pyarrow as pa

from streamgauge.detect.levels import Level, Levels

TAGS = ["tenant", "source", "integration", "pipeline", "stage"]


def flows(*rows: tuple[str, str]) -> pa.Table:
    """Flows by tenant and integration."""
    columns = {name: pa.array([""] * len(rows)) for name in TAGS}
    columns["tenant"] = pa.array([tenant for tenant, _ in rows])
    columns["integration"] = pa.array([integration for _, integration in rows])
    columns["stage"] = pa.array(["delivered"] * len(rows))
    return pa.table({name: column.dictionary_encode() for name, column in columns.items()})


def watched(levels: Levels, number: int) -> set[Level]:
    groups = levels.row_group[levels.flow_rows[number][levels.flow_rows[number] > 0]]
    return {levels.groups[group].level for group in groups}


def test_a_runaway_tag_counts_in_its_customer_and_costs_no_rows() -> None:
    levels = Levels(max_flows=3)
    levels.locate(flows(*(("bad", f"id-{n}") for n in range(3)), ("good", "ga4")))
    rows = levels.row_count
    found = levels.locate(flows(*(("bad", f"more-{n}") for n in range(1000))))
    assert levels.row_count == rows
    assert levels.unwatched_count == 1000
    assert watched(levels, int(found[-1])) == {Level.TENANT, Level.PLATFORM}
    again = levels.locate(flows(("bad", "id-0"), ("bad", "more-7")))
    assert watched(levels, int(again[0])) == set(Level), "those that were known go on"
    assert again[1] == found[7]
    other = levels.locate(flows(("good", "s3")))
    assert watched(levels, int(other[0])) == set(Level), "others are not touched"


def test_a_runaway_tenant_counts_in_the_platform() -> None:
    levels = Levels(max_tenants=2)
    levels.locate(flows(("a", "ga4"), ("b", "ga4")))
    rows = levels.row_count
    found = levels.locate(flows(*((f"id-{n}", "ga4") for n in range(1000))))
    assert (levels.row_count, levels.unwatched_count) == (rows, 1000)
    assert watched(levels, int(found[0])) == {Level.PLATFORM}
    assert watched(levels, int(levels.locate(flows(("a", "s3")))[0])) == set(Level)
