"""Which notifiers are told of a change, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.page.paging import SILENCE

from streamgauge.model.change import Action, Change, ChangeReason
from streamgauge.model.words import Severity
from streamgauge.page.routing import Recipient, Router

CREATE, UPDATE, CLOSE = Action.CREATE, Action.UPDATE, Action.CLOSE
Case = tuple[Action | None, Severity, set[str], list[str]]

CASES: dict[str, Case] = {
    "P1 goes to everyone": (
        CREATE, Severity.P1, set(), ["pager create sent", "all create sent"]),
    "P3 goes to everyone": (
        CREATE, Severity.P3, set(), ["pager create sent", "all create sent"]),
    "P4 goes only to those that ask for it": (
        CREATE, Severity.P4, set(), ["pager create kept", "all create sent"]),
    "an update goes to those that have the incident": (
        UPDATE, Severity.P4, {"all"}, ["all update sent"]),
    "a severity that rises into reach is an opening": (
        UPDATE, Severity.P2, {"all"}, ["pager create sent", "all update sent"]),
    "a closing goes to those that have the incident": (
        CLOSE, Severity.P1, {"all"}, ["all close sent"]),
    "a closing goes there also when its severity has fallen": (
        CLOSE, Severity.P5, {"pager"}, ["pager close sent"]),
    "what is told to nobody goes nowhere": (None, Severity.P1, {"pager"}, []),
}  # fmt: skip


@pytest.mark.parametrize(("action", "severity", "told", "expected"), CASES.values(), ids=CASES)
def test_a_change_is_routed(
    action: Action | None, severity: Severity, told: set[str], expected: list[str]
) -> None:
    router = Router([Recipient("pager"), Recipient("all", frozenset(Severity))])
    change = Change(replace(SILENCE, severity=severity), ChangeReason.OVER, None, action)
    routes = router(change, told)
    assert [
        f"{one.notifier} {one.action} {'sent' if one.is_sent else 'kept'}" for one in routes
    ] == expected
    assert all(one.reason for one in routes)


def test_the_reason_names_severity_and_what_is_taken() -> None:
    change = Change(replace(SILENCE, severity=Severity.P4), ChangeReason.OVER, None, CREATE)
    (route,) = Router([Recipient("pager")])(change, set())
    assert route.reason == "is P4; pager takes P1, P2, P3"
