"""The scorer: which incident is whose, and what is false."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest
from bench.fleet.drive import Driven, Opened, drive
from bench.fleet.goals import Goal, Result, goals_of
from bench.fleet.made import made
from bench.fleet.plan import Family, Plan
from bench.fleet.score import Score, score
from bench.fleet.telemetry import Telemetry
from bench.fleet.truth import Fault, FaultKind, Truth

from streamgauge.model.feed import Delta
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.incident import Incident
from streamgauge.model.words import IncidentState, Kind, Severity, Suspected

PLAN = Plan(seed=1, family=Family.WELL, customers=12, days=4, learned_days=2)
FAULT = Fault(
    0, FaultKind.SILENT_CUSTOMER, 3000, 3100, customer=3, suspected=(Suspected.CUSTOMER,),
    scopes=(Scope("c003"),), per_day=700.0, began=2998.0, least_minutes=20.0,
)  # fmt: skip


def opened(
    at: float,
    kind: Kind = Kind.SILENCE,
    scope: Scope = Scope("c003"),  # noqa: B008
    suspected: Suspected = Suspected.CUSTOMER,
    affected: tuple[str, ...] = ("c003",),
) -> Opened:
    incident = Incident(
        f"{at}{kind}{scope}", "key", kind, scope, IncidentState.OPEN, Severity.P3, suspected,
        60.0 * at, 60.0 * at, None, "", affected=affected,
    )  # fmt: skip
    return Opened(incident, at, incident)


def judged(*incidents: Opened, faults: tuple[Fault, ...] = (FAULT,)) -> Score:
    fleet = made(replace(PLAN, has_faults=False))
    return score(replace(fleet, truth=Truth(list(faults))), Driven(list(incidents)))


def test_a_silence_that_opens_while_it_lasts_is_found_and_its_delay_is_from_the_last_message() -> (
    None
):
    found = judged(opened(3028.0)).judged[0]
    assert (found.delay_minutes, found.ratio, found.is_attributed) == (30.0, 1.5, True)


@pytest.mark.parametrize(
    ("one", "is_false", "is_found"),
    [
        (opened(2990.0), True, False),
        (opened(3103.0), False, False),
        (opened(3300.0), True, False),
        (opened(3050.0, scope=Scope("c004"), affected=("c004",)), True, False),
        (opened(3050.0, Kind.ERRORS), True, False),
        (opened(3050.0, Kind.DROP), False, False),
        (opened(3050.0, scope=Scope("c003", "web")), False, True),
        (opened(3050.0, scope=PLATFORM, affected=("c001", "c002")), True, False),
        (opened(3050.0, scope=PLATFORM, affected=("c003", "c002")), False, True),
    ],
    ids=["before it", "just after it", "long after it", "of another customer", "of another kind",
         "looks like it", "part of it", "wider without it", "wider with it"],
)  # fmt: skip
def test_what_is_explained_and_what_finds(one: Opened, is_false: bool, is_found: bool) -> None:
    result = judged(one)
    assert (bool(result.false), result.judged[0].found is not None) == (is_false, is_found)


def test_an_incident_belongs_to_the_fault_that_it_names_best() -> None:
    wide = Fault(1, FaultKind.SILENT_INGEST, 2990, 3060, scopes=(PLATFORM,))
    result = judged(opened(3010.0), opened(3012.0, scope=PLATFORM), faults=(FAULT, wide))
    assert [len(each.incidents) for each in result.judged] == [1, 1]


def test_the_wrong_side_and_the_wrong_scope_are_no_right_attribution() -> None:
    assert not judged(opened(3050.0, suspected=Suspected.PLATFORM)).judged[0].is_attributed
    assert not judged(opened(3050.0, scope=Scope("c003", "web"))).judged[0].is_attributed


def _goal(result: Score, plan: Plan, words: str) -> Goal:
    facts = Result(plan, result, 0.0, 0.0, 0.0, 0.0, 0.0, 0)
    return next(goal for goal in goals_of([facts]) if goal.what.startswith(words))


def test_goals_say_what_was_reached_missed_and_not_there() -> None:
    late = judged(opened(3028.0), opened(3300.0))
    assert _goal(late, PLAN, "silence: recall, ≤ 1,000").is_reached
    assert _goal(late, PLAN, "silence: recall, ≤ 10 ").is_reached is None
    assert _goal(late, PLAN, "silence: delay / least possible, median").is_reached is False
    weeks = late.weeks * late.flow_count / 1000.0
    assert f"{1 / weeks:.2f}" in _goal(late, PLAN, "false silences").figure


class Stopped:
    """What a fleet sends, without a word of routers, and from a minute on without a customer."""

    def __init__(self, telemetry: Telemetry, tenant: str, start: int) -> None:
        self._telemetry, self._tenant, self._start = telemetry, tenant, start
        self.history = telemetry.history

    def take(self, minute: int) -> Delta:
        delta = replace(self._telemetry.take(minute), routers=None)
        if minute < self._start:
            return delta
        tenants = delta.minutes["tenant"].to_pylist()
        others = pa.array([tenant != self._tenant for tenant in tenants], pa.bool_())
        return replace(delta, minutes=delta.minutes.filter(others))


def test_the_real_detector_finds_the_silence_of_who_sends_most_in_a_fleet() -> None:
    plan = Plan(seed=1, family=Family.WELL, customers=4, days=9, learned_days=8, has_faults=False)
    fleet = made(plan)
    start = plan.live_from + 30
    before = pl.DataFrame(fleet.telemetry.take(start - 1).minutes)
    largest = str(before.sort("count")["tenant"].cast(pl.String)[-1])
    found = []
    for stops_at in (start, plan.minutes):
        telemetry = Stopped(fleet.telemetry, largest, stops_at)
        driven = drive(replace(fleet, telemetry=telemetry), start + 30)  # type: ignore[arg-type]
        found.append({name for one in driven.opened for name in one.first.affected})
    assert largest in found[0] - found[1]
