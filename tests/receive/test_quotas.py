"""Limits of a tenant: what of a body comes in, in sums and in lines of protocol."""

from __future__ import annotations

import numpy as np
import pytest

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx import parse
from streamgauge.receive.influx.parts import PART_BYTES
from streamgauge.receive.quotas import Quotas, QuotaSettings, TenantLimits, Usage

NOW = 1_700_000_000.0
TEN_LINES = QuotaSettings(TenantLimits(lines_per_s=10), burst_s=1)


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


def usage(**lines: int) -> Usage:
    counts = np.array(list(lines.values()))
    return Usage(list(lines), counts, counts * 100)


def refused(quotas: Quotas, **lines: int) -> set[str]:
    admission = quotas.admission()
    assert admission is not None
    return set(admission.admit(usage(**lines)))


def test_nothing_is_asked_while_nothing_is_configured(clock: SimulatedClock) -> None:
    assert Quotas(clock, QuotaSettings()).admission() is None
    only_one = QuotaSettings(tenants={"acme": TenantLimits(lines_per_s=1)})
    assert Quotas(clock, only_one).admission() is not None


def test_a_tenant_is_refused_as_a_whole_and_others_are_not_touched(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    assert refused(quotas, acme=8, zeta=8) == set()
    assert refused(quotas, acme=3, zeta=2) == {"acme"}
    assert refused(quotas, acme=2) == set(), "what was refused has spent nothing"
    clock.advance(1)
    assert refused(quotas, acme=10, zeta=10) == set()


def test_a_tenant_may_have_limits_of_its_own(clock: SimulatedClock) -> None:
    settings = QuotaSettings(
        TenantLimits(lines_per_s=10),
        {"acme": TenantLimits(lines_per_s=20), "free": TenantLimits()},
        burst_s=1,
    )
    quotas = Quotas(clock, settings)
    assert refused(quotas, acme=20, free=10**6, zeta=11) == set(), "the buckets are full"
    assert refused(quotas, acme=1, free=10**6, zeta=1) == {"acme", "zeta"}


def test_bytes_are_limited_beside_lines_and_the_longer_wait_is_told(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, QuotaSettings(TenantLimits(lines_per_s=10, bytes_per_s=500), burst_s=1))
    admission = quotas.admission()
    assert admission is not None
    admission.admit(usage(acme=5))
    admission = quotas.admission()
    assert admission is not None
    admission.admit(usage(acme=6))
    (over,) = admission.over
    assert (over.reason, over.wait_s) == (RefusalReason.BYTES_PER_S, 1.0)
    assert "customer acme is over its limit of 500 bytes/s" in over.text
    assert 'a [[limit]] with tenant = "acme"' in over.text


def test_what_was_not_kept_after_all_is_given_back(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    admission = quotas.admission()
    assert admission is not None
    admission.admit(usage(acme=10))
    admission.give_back()
    assert refused(quotas, acme=10) == set()


def test_what_holds_in_the_first_part_of_a_body_holds_for_all_of_it(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    admission = quotas.admission()
    assert admission is not None
    assert not admission.admit(usage(acme=8))
    assert not admission.admit(usage(acme=8)), "in debt, but not torn apart"
    assert refused(quotas, acme=1) == {"acme"}
    clock.advance(0.5)
    assert refused(quotas, acme=1) == {"acme"}, "the debt is paid off first"
    admission = quotas.admission()
    assert admission is not None
    admission.admit(usage(acme=8))
    clock.advance(100)
    assert set(admission.admit(usage(acme=8, zeta=1))) == {"acme"}
    admission.give_back()
    assert refused(quotas, acme=10, zeta=10) == set()


def test_tenants_beyond_those_that_are_counted_share_one_allowance(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES, max_tenants=1)
    assert refused(quotas, a=5, b=5, c=6, d=5) == {"d"}
    clock.advance(10)
    assert refused(quotas, e=10, f=10) == set(), "those that are full again are forgotten"


def parsed(quotas: Quotas, body: bytes) -> Parsed:
    return parse(
        body,
        precision="ns",
        db="d",
        received_at_ns=int(NOW * 1e9),
        admission=quotas.admission(),
    )


def lines(tenant: str, count: int, measurement: str = "messages") -> bytes:
    return f"{measurement},tenant={tenant} count=1i 5\n".encode() * count


def test_lines_of_every_measurement_count_for_their_tenant(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    queue = b"queue,tenant=acme,queue=q backlog=1 5\n" * 4
    body = lines("acme", 3) + lines("zeta", 3) + queue + lines("acme", 3, "cpu")
    ours = parsed(quotas, body)
    assert ours.rejected_count == 0
    ours = parsed(quotas, lines("zeta", 1) + body[:-1])
    assert ours.rejected_by == {("lines_per_s", "acme"): 10}
    assert ours.batch.row_count == 4
    assert ours.rejected[0].line_number == 2
    assert "customer acme is over its limit of 10 lines/s" in ours.rejected[0].reason


def test_bad_lines_spend_nothing_and_keep_their_reason(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    bad = b"messages,tenant=acme count=-1 5\nbare\n" * 20
    assert parsed(quotas, bad + lines("acme", 10)).rejected_count == 40
    ours = parsed(quotas, bad + lines("acme", 1))
    assert ours.rejected_by == {
        ("count", "acme"): 20,
        ("syntax", "default"): 20,
        ("lines_per_s", "acme"): 1,
    }


def test_bytes_are_those_of_the_lines(clock: SimulatedClock) -> None:
    line = len(lines("acme", 1))
    quotas = Quotas(clock, QuotaSettings(TenantLimits(bytes_per_s=line * 10), burst_s=1))
    assert parsed(quotas, lines("acme", 9) + lines("zeta", 9)).rejected_count == 0
    assert parsed(quotas, lines("acme", 2)).rejected_by == {("bytes_per_s", "acme"): 2}
    assert parsed(quotas, lines("acme", 1)).rejected_count == 0


def test_a_large_body_is_let_in_or_not_as_one(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    body = lines("acme", PART_BYTES // len(lines("acme", 1)) + 100)
    assert parsed(quotas, body).rejected_count == 0
    clock.advance(60)
    late = parsed(quotas, lines("acme", 1))
    assert late.rejected_by == {("lines_per_s", "acme"): 1}


def test_active_series_beyond_the_limit_are_refused_and_known_ones_go_on(
    clock: SimulatedClock,
) -> None:
    quotas = Quotas(clock, QuotaSettings(TenantLimits(active_series=3)))
    body = b"".join(b"cpu,tenant=acme,id=%d f=1 5\n" % n for n in range(5)) + lines("zeta", 1)
    ours = parsed(quotas, body)
    assert ours.rejected_by == {("active_series", "acme"): 2}
    assert ours.rejected[0].line == "cpu,tenant=acme,id=3 f=1 5"
    assert "customer acme has 3 active series, which is its limit" in ours.rejected[0].reason
    clock.advance(1800)
    assert parsed(quotas, body).rejected_count == 2, "they keep coming"
    clock.advance(3600)
    assert parsed(quotas, b"".join(body.splitlines(keepends=True)[2:])).rejected_count == 0


def test_a_retry_is_known_whoever_is_refused(clock: SimulatedClock) -> None:
    quotas = Quotas(clock, TEN_LINES)
    body = lines("acme", 1) + lines("zeta", 1).replace(b" 5\n", b"\n")
    assert not parsed(quotas, body).has_all_timestamps
    parsed(quotas, lines("zeta", 9))
    assert not parsed(quotas, body).has_all_timestamps
