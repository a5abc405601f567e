"""Guard and quotas hold for columns of any format as they do for lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.gating import gated
from streamgauge.receive.guard import SeriesGuard
from streamgauge.receive.influx.parsing import parse
from streamgauge.receive.quotas import Quotas, QuotaSettings, TenantLimits

NOW = 1_800_000_000.0


def body(lines: str) -> Parsed:
    return parse(lines.encode(), precision="s", db="", received_at_ns=int(NOW * 1e9))


def counts(table: pa.Table) -> list[int]:
    return [int(one) for one in table.column("count").to_pylist()]


MIXED = "\n".join(
    f"messages,tenant={tenant},source=s{number % 3} count={number} {int(NOW)}"
    for number, tenant in enumerate(["acme", "tiny"] * 6)
)


def test_nothing_is_touched_where_nothing_is_limited() -> None:
    parsed = body(MIXED)
    assert gated(parsed, None, None, len(MIXED)) is parsed
    clock = SimulatedClock(NOW)
    assert gated(parsed, SeriesGuard(clock, 100), None, len(MIXED)) is parsed


def test_a_tenant_with_too_many_new_series_loses_only_its_own() -> None:
    runaway = "\n".join(f"messages,tenant=acme,id=m{n} count=1 {int(NOW)}" for n in range(20))
    parsed = body(runaway + "\nmessages,tenant=tiny count=7 1800000000\nload,tenant=tiny v=1")
    left = gated(parsed, SeriesGuard(SimulatedClock(NOW), 5), None, 1000)
    assert counts(left.batch.messages) == [1] * 5 + [7]
    assert left.batch.points.num_rows == 1
    assert left.rejected_count == 15
    assert left.rejected_by == {("series", "acme"): 15}
    assert "tag id of customer acme has 20 different values" in left.rejected[0].reason
    assert left.rejected[0].line == "messages,tenant=acme,stage=delivered,outcome=ok,id=m5"
    assert left.rejected[0].line_number == 6


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (TenantLimits(lines_per_s=0.1), "lines_per_s"),
        (TenantLimits(bytes_per_s=1.0), "bytes_per_s"),
    ],
)
def test_a_tenant_over_its_rate_is_kept_out_as_a_whole(limits: TenantLimits, reason: str) -> None:
    quotas = Quotas(SimulatedClock(NOW), QuotaSettings(tenants={"acme": limits}, burst_s=1))
    spent = quotas.admission()
    assert spent
    gated(body(MIXED), None, spent, len(MIXED))  # a full bucket may make a debt
    admission = quotas.admission()
    assert admission
    left = gated(body(MIXED), None, admission, len(MIXED))
    assert counts(left.batch.messages) == [1, 3, 5, 7, 9, 11]
    assert left.rejected_by == {(reason, "acme"): 6}
    assert [over.tenant for over in admission.over] == ["acme"]


def test_active_series_are_limited() -> None:
    settings = QuotaSettings(tenants={"acme": TenantLimits(active_series=1)})
    admission = Quotas(SimulatedClock(NOW), settings).admission()
    left = gated(body(MIXED), None, admission, len(MIXED))
    assert counts(left.batch.messages) == [0, 1, 3, 5, 6, 7, 9, 11]
    assert left.rejected_by == {("active_series", "acme"): 4}


def test_a_hop_goes_with_the_message_that_counts_it() -> None:
    parsed = body(MIXED)
    hops = pa.table({"id": [f"m{number}" for number in range(12)]})
    parsed = replace(parsed, batch=replace(parsed.batch, hops=hops))
    settings = QuotaSettings(tenants={"tiny": TenantLimits(active_series=1)})
    left = gated(parsed, None, Quotas(SimulatedClock(NOW), settings).admission(), len(MIXED))
    told = left.batch.hops
    assert told is not None
    assert told.column("id").to_pylist() == [f"m{n}" for n in counts(left.batch.messages)]


def test_the_same_series_in_another_body_is_known() -> None:
    guard = SeriesGuard(SimulatedClock(NOW), 6)
    first = gated(body(MIXED), guard, None, len(MIXED))
    assert first.rejected_count == 0
    again = gated(body(MIXED), guard, None, len(MIXED))
    assert again.rejected_count == 0
    assert guard.known_count == 6
    assert np.unique(counts(again.batch.messages)).size == 12


def test_durations_are_asked_for_too() -> None:
    parsed = body(MIXED)
    batch = Batch(
        parsed.batch.messages.slice(0, 0),
        parsed.batch.queue,
        parsed.batch.points,
        durations=parsed.batch.messages,
    )
    parsed = replace(parsed, batch=batch)
    left = gated(parsed, SeriesGuard(SimulatedClock(NOW), 1), None, len(MIXED))
    assert left.batch.durations is not None
    assert left.batch.durations.num_rows == 4
