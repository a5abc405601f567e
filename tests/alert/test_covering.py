"""What a larger finding explains."""

from __future__ import annotations

from tests.alert.incident_world import finding

from streamgauge.alert.covering import covered_by
from streamgauge.model.finding import Finding


def named(tenant: str, *covers: str, over: str = "") -> Finding:
    return finding(tenant, covers=tuple(finding(name).key for name in covers), over=over)


def parents(*findings: Finding) -> dict[str, str | None]:
    return {key.split("/")[1]: parent.scope.tenant for key, parent in covered_by(findings).items()}


def test_what_is_covered_by_something_covered_belongs_to_the_largest() -> None:
    assert parents(named("b", "c"), named("a", "b"), named("c")) == {"b": "a", "c": "a"}


def test_a_finding_does_not_cover_itself() -> None:
    assert parents(named("a", "a", "b")) == {"b": "a"}


def test_of_two_that_cover_each_other_the_first_stays() -> None:
    assert parents(named("a", "b"), named("b", "a")) == {"b": "a"}


def test_one_that_is_over_explains_nothing() -> None:
    assert parents(named("a", "b", over="it answers again"), named("b")) == {}


def test_keys_that_nobody_tells_can_be_covered() -> None:
    assert parents(named("a", "gone")) == {"gone": "a"}
