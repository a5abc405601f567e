"""When a user's threshold holds, and when it is over."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.alert.incident_world import World

from streamgauge.alert.rules import Rule, evaluate_rules
from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident
from streamgauge.model.views import Filters, Series, TimeSeries
from streamgauge.model.words import Kind, Severity

Values = list[float | None]
NOW = 6_000.0 + 15.0
"""A minute has ended 15 s ago."""


class Recorded:
    """Answers with the newest of the values it is given, by tenant."""

    def __init__(self, by_tenant: dict[str, Values], labels: tuple[str, ...] = ("tenant",)) -> None:
        self.by_tenant, self.labels = by_tenant, labels
        self.asked: list[tuple[float, float, float]] = []

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        self.asked.append((from_s, to_s, step_s))
        steps = int((to_s - from_s) / step_s)
        series = [
            Series(dict.fromkeys(self.labels, tenant), ([None] * steps + values)[-steps:])
            for tenant, values in self.by_tenant.items()
        ]
        return TimeSeries([from_s + step_s * n for n in range(steps)], series)


class Unreachable:
    """A store that refuses."""

    def timeseries(self, *_: object) -> TimeSeries:
        raise StoreError("busy", permanent=False)


def rule(**values: object) -> Rule:
    defaults: dict[str, object] = {
        "name": "too many errors",
        "metric": "error_ratio",
        "by": ("tenant",),
        "above": 0.05,
        "for_s": 300.0,
        "severity": Severity.P2,
    }
    return Rule(**(defaults | values))  # type: ignore[arg-type]


def evaluate(values: Values, *, is_open: bool = False, one: Rule | None = None) -> list[Finding]:
    return evaluate_rules([one or rule()], Recorded({"acme": values}), NOW, opened(one, is_open))


def opened(one: Rule | None, is_open: bool) -> dict[str, Incident]:
    if not is_open:
        return {}
    one = one or rule()
    beyond = one.threshold + (1.0 if one.direction == "above" else -1.0)
    source = Recorded({"acme": [beyond] * 1500})
    world = World()
    world.turn(NOW, evaluate_rules([one], source, NOW, {}))
    assert len(world.open) == 1
    return world.open


BEGINS: dict[str, tuple[Values, bool]] = {
    "beyond for the whole time": ([0.06] * 5, True),
    "equal to the threshold is not beyond": ([0.05] * 5, False),
    "within for one of the minutes": ([0.06, 0.06, 0.04, 0.06, 0.06], False),
    "beyond for a minute less": ([0.04, 0.06, 0.06, 0.06, 0.06], False),
    "within before the whole time does not matter": ([0.01, 0.06, 0.06, 0.06, 0.06, 0.06], True),
    "unknown in between, half known": ([0.06, None, 0.06, None, 0.06], True),
    "known only at the end": ([None, None, None, 0.06, 0.06], False),
    "unknown throughout": ([None] * 5, False),
}


@pytest.mark.parametrize(("values", "begins"), BEGINS.values(), ids=BEGINS)
def test_a_rule_begins_to_hold(values: Values, begins: bool) -> None:
    assert bool(evaluate(values)) is begins


STAYS: dict[str, tuple[Values, bool]] = {
    "beyond": ([0.06] * 5, True),
    "beyond once in the whole time": ([0.06, 0.01, 0.01, 0.01, 0.01], True),
    "within for the whole time": ([0.01] * 5, False),
    "equal to the threshold is within": ([0.05] * 5, False),
    "unknown throughout": ([None] * 5, True),
    "within where known, half known": ([0.01, None, 0.01, None, 0.01], False),
    "within where known, less than half known": ([None, None, 0.01, None, 0.01], True),
}


@pytest.mark.parametrize(("values", "stays"), STAYS.values(), ids=STAYS)
def test_an_open_rule_stays_until_it_is_seen_to_be_over(values: Values, stays: bool) -> None:
    (finding,) = evaluate(values, is_open=True)
    assert (finding.over_reason == "") is stays
    assert finding.key in opened(None, is_open=True)


def test_a_short_rule_is_over_after_three_minutes_within() -> None:
    short = rule(for_s=60.0)
    (still,) = evaluate([0.06, 0.01, 0.01], is_open=True, one=short)
    (over,) = evaluate([0.06, 0.01, 0.01, 0.01], is_open=True, one=short)
    assert still.over_reason == ""
    assert over.over_reason == "error_ratio is back at 0.01, threshold above 0.05"
    assert evaluate([0.06], one=short) != []


def test_the_finding_says_what_of_whom_and_how_far() -> None:
    (finding,) = evaluate([0.06, 0.2, 0.06, 0.06, 0.07])
    assert finding.kind is Kind.RULE
    assert finding.subject == "too many errors"
    assert finding.scope.tenant == "acme"
    assert finding.severity is Severity.P2
    assert finding.since == 6_000.0 - 300.0
    assert finding.affected == ("acme",)
    assert finding.summary == (
        "too many errors: error_ratio of customer acme above 0.05 for 5 min, now 0.07"
    )
    assert finding.evidence["worst_value"] == 0.2
    assert finding.evidence["above"] == 0.05


def test_below_is_the_other_way_round() -> None:
    few = rule(metric="messages", above=None, below=10.0)
    assert evaluate([9.0] * 5, one=few)[0].evidence["worst_value"] == 9.0
    assert evaluate([10.0] * 5, one=few) == []
    (over,) = evaluate([10.0] * 5, is_open=True, one=few)
    assert over.over_reason == "messages is back at 10, threshold below 10"


def test_only_minutes_that_ended_fifteen_seconds_ago_are_asked_for() -> None:
    source = Recorded({})
    evaluate_rules([rule()], source, NOW, {})
    evaluate_rules([rule()], source, NOW - 0.5, {})
    assert source.asked == [(5_700.0, 6_000.0, 60.0), (5_640.0, 5_940.0, 60.0)]


def test_a_series_that_is_not_answered_any_more_stays_open() -> None:
    held = opened(None, is_open=True)
    (finding,) = evaluate_rules([rule()], Recorded({}), NOW, held)
    assert finding.key in held
    assert finding.over_reason == ""


def test_a_store_that_refuses_neither_opens_nor_closes_and_is_reported() -> None:
    held = opened(None, is_open=True)
    errors: list[str] = []
    findings = evaluate_rules(
        [rule()], Unreachable(), NOW, held, lambda one, error: errors.append(f"{one.name}: {error}")
    )
    assert [finding.key for finding in findings] == list(held)
    assert errors == ["too many errors: busy"]


def test_what_is_open_for_a_removed_rule_is_not_told() -> None:
    held = opened(None, is_open=True)
    other = rule(name="another")
    assert evaluate_rules([other], Recorded({}), NOW, held) == []


def test_labels_beyond_the_scope_tell_incidents_apart() -> None:
    by_queue = rule(name="deep", metric="backlog", by=("queue",), above=10.0)
    source = Recorded({"orders": [99.0] * 5, "mail": [98.0] * 5}, labels=("queue",))
    findings = evaluate_rules([by_queue], source, NOW, {})
    assert [finding.subject for finding in findings] == ["deep (queue orders)", "deep (queue mail)"]
    world = World()
    world.turn(NOW, findings)
    again = evaluate_rules([by_queue], Recorded({}), NOW, world.open)
    assert {finding.key for finding in again} == set(world.open)


FAULTS: dict[str, tuple[dict[str, object], str]] = {
    "a metric that is not known": ({"metric": "cpu.usage_idle"}, "'cpu.usage_idle' is not known"),
    "a label that is not known": ({"by": ("region",)}, "by = 'region' is not known; accepted: t"),
    "both thresholds": ({"below": 1.0}, "exactly one of `above` and `below`"),
    "no threshold": ({"above": None}, "exactly one of `above` and `below`"),
    "no time": ({"for_s": 0.0}, "for = 0 s; accepted"),
    "longer than a day": ({"for_s": 86_401.0}, "for = 86401 s; accepted"),
}


@pytest.mark.parametrize(("values", "message"), FAULTS.values(), ids=FAULTS)
def test_a_rule_that_cannot_be_judged_says_what_is_accepted(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=r"^\[\[rule\]\] 'too many errors': ") as caught:
        rule(**values)
    assert message in str(caught.value)


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=5, max_size=5),
    st.floats(-1e6, 1e6),
    st.sampled_from(["above", "below"]),
)
def test_what_begins_is_not_over_by_the_same_values(
    values: Values, threshold: float, direction: str
) -> None:
    other = "below" if direction == "above" else "above"
    one = rule(**{direction: threshold, other: None})
    begins = bool(evaluate(values, one=one))
    (finding,) = evaluate(values, is_open=True, one=one)
    assert not (begins and finding.over_reason)
