"""Which notifications are not sent any more when a newer one comes."""

from __future__ import annotations

import pytest

from streamgauge.model.change import Action
from streamgauge.state.overtaking import Waiting, overtake

CREATE, UPDATE, CLOSE = Action.CREATE, Action.UPDATE, Action.CLOSE

Case = tuple[Action, list[Waiting], bool, set[str], bool]
"""The new one, what waits, whether it is created there; what is obsolete, whether it is needed."""


def unsent(action: Action) -> Waiting:
    return Waiting(f"{action}-unsent", action, 0, is_in_flight=False)


def tried(action: Action) -> Waiting:
    return Waiting(f"{action}-tried", action, 2, is_in_flight=False)


def flying(action: Action) -> Waiting:
    return Waiting(f"{action}-flying", action, 1, is_in_flight=True)


CASES: dict[str, Case] = {
    "a closing when nothing waits is needed": (CLOSE, [], True, set(), True),
    "closed before its opening was sent: neither is": (
        CLOSE, [unsent(CREATE)], False, {"create-unsent"}, False),
    "closed while its opening is retried: it may be there, so close it": (
        CLOSE, [tried(CREATE)], False, {"create-tried"}, True),
    "closed while its opening is being sent: wait, then close it": (
        CLOSE, [flying(CREATE)], False, set(), True),
    "closed before an update was sent: the update is not": (
        CLOSE, [unsent(UPDATE)], True, {"update-unsent"}, True),
    "reopened and closed before anything of it was sent, an older closing still being retried": (
        CLOSE, [tried(CLOSE), unsent(CREATE)], True, {"create-unsent"}, False),
    "reopened before its closing was sent: it is still open there": (
        CREATE, [unsent(CLOSE)], True, {"close-unsent"}, False),
    "reopened before its closing was sent, never created there: create it": (
        CREATE, [unsent(CLOSE)], False, {"close-unsent"}, True),
    "reopened while its closing is retried: it may be closed there": (
        CREATE, [tried(CLOSE)], True, set(), True),
    "reopened while its closing is being sent": (CREATE, [flying(CLOSE)], True, set(), True),
    "an opening when nothing waits is needed": (CREATE, [], False, set(), True),
    "an update before the opening was sent: the opening says it": (
        UPDATE, [unsent(CREATE)], False, set(), False),
    "an update while the opening is being sent is needed": (
        UPDATE, [flying(CREATE)], False, set(), True),
    "the newer of two updates is enough": (UPDATE, [unsent(UPDATE)], True, {"update-unsent"}, True),
    "an update that is being retried stays": (UPDATE, [tried(UPDATE)], True, set(), True),
}  # fmt: skip


@pytest.mark.parametrize(
    ("action", "waiting", "is_created", "obsolete", "is_needed"), CASES.values(), ids=CASES
)
def test_a_new_notification_overtakes(
    action: Action, waiting: list[Waiting], is_created: bool, obsolete: set[str], is_needed: bool
) -> None:
    result = overtake(action, waiting, is_created=is_created)
    assert set(result.obsolete) == obsolete
    assert (result.needless == "") is is_needed
    assert all(result.obsolete.values())
