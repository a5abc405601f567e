"""Why something was, or was not, told: the sentences of one customer at one instant."""

from __future__ import annotations

import pytest

from fleet import DAY, Fleet, steady
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.detect.explain import TURNS_BEFORE_S
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.explanation import Explanation
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind

LEARNED = 3 * DAY
ACME = Scope(tenant="t07")


def explained(
    fleet: Fleet, minute: int, scope: Scope = ACME, said: Expectations | None = None
) -> Explanation:
    """As of the end of a minute, from history."""
    detector, now = Detector(said), 60.0 * (fleet.start + minute)
    detector.learn(fleet.history(minute))
    for before_s in TURNS_BEFORE_S:
        detector.evaluate(now - before_s)
    return detector.explain(scope, now, detector.evaluate(now))


def quiet_for(minutes: int) -> Fleet:
    return steady(20, LEARNED + minutes).silence([7], LEARNED, LEARNED + minutes)


def test_who_speaks_is_told_as_such() -> None:
    one = explained(quiet_for(0), LEARNED)
    assert one.words[0].startswith("Of customer t07, nothing was told at ")
    assert "it usually reports every" in one.words[1]
    assert one.silence is not None
    assert one.silence.nats < (one.silence.bar_nats or 0.0)


def test_a_silence_that_is_not_proven_says_when_it_would_open_and_then_it_does() -> None:
    one = explained(quiet_for(1), LEARNED + 1)
    assert not one.findings
    assert one.silence is not None
    opens_at = one.silence.opens_at
    assert opens_at is not None
    assert "If nothing comes, it opens at " in one.words[1]
    fleet = quiet_for(120)
    minute = int(-(-opens_at // 60)) - fleet.start
    assert not explained(fleet, minute - 1).findings
    (finding,) = explained(fleet, minute + 1).findings
    assert (finding.kind, finding.scope) == (Kind.SILENCE, ACME)


def test_an_open_silence_is_told_first_and_passes_the_bar_it_names() -> None:
    one = explained(quiet_for(120), LEARNED + 120)
    assert one.words[0].startswith("Of customer t07, 1 thing held at ")
    assert one.silence is not None
    assert one.silence.bar_nats is not None
    assert one.silence.nats >= one.silence.bar_nats >= one.silence.budget_nats
    assert one.silence.expected_messages > 0.0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (ExpectedFlow(ACME, declared_at=0.0, retired_at=float("inf")), "it is retired"),
        (ExpectedFlow(ACME, declared_at=0.0, paused_until=4e9), "it is paused until"),
    ],
    ids=["retired", "paused"],
)
def test_what_excuses_a_quiet_is_named(said: ExpectedFlow, words: str) -> None:
    one = explained(quiet_for(120), LEARNED + 120, said=Expectations((said,)))
    assert not one.findings
    assert words in one.words[1]
    assert one.silence is not None
    assert one.silence.opens_at is None


def test_errors_are_weighed_against_the_usual_share() -> None:
    fleet = steady(20, LEARNED)
    fleet.failed[7, -10:], fleet.ok[7, -10:] = fleet.ok[7, -10:].copy(), 0
    one = explained(fleet, LEARNED)
    assert one.errors is not None
    assert 0 < one.errors.failed <= one.errors.ended
    assert one.errors.nats >= one.errors.bar_nats
    assert any(f.kind is Kind.ERRORS for f in one.findings)
    other = explained(fleet, LEARNED, Scope(tenant="t03"))
    assert other.errors is not None
    assert other.errors.nats < other.errors.bar_nats
    assert not [f for f in other.findings if f.scope.tenant == "t07"]


def test_who_was_never_seen_has_no_habit() -> None:
    one = explained(quiet_for(0), LEARNED, Scope(tenant="nobody"))
    assert (one.silence, one.errors, one.findings) == (None, None, ())
    assert "No message of it is known" in one.words[1]


def test_an_empty_platform_is_explained_too() -> None:
    detector = Detector()
    assert detector.explain(Scope(), 1e9, detector.evaluate(1e9)).seen_until is None
