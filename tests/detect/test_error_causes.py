"""What new reasons and several customers together are worth as evidence, and whom it is told of."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from streamgauge.detect.error_evidence import Shares
from streamgauge.detect.error_fold import fold_errors
from streamgauge.detect.error_joint import of_members
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.reason_habit import ReasonHabit
from streamgauge.detect.reasons import Failed, Reasons
from streamgauge.model.finding import Finding
from streamgauge.model.words import Suspected

NOON = 29_400_000 - 29_400_000 % 60


def of_customers(count: int) -> tuple[Levels, list[int]]:
    """Customers of one integration, one flow each, and the groups of their deliveries."""
    levels = Levels()
    tags = {
        "tenant": [f"t{i}" for i in range(count)],
        "source": ["web"] * count,
        "integration": ["ga4"] * count,
        "pipeline": ["main"] * count,
        "stage": ["delivered"] * count,
    }
    columns = {name: pa.array(texts).dictionary_encode() for name, texts in tags.items()}
    levels.locate(pa.table(columns))
    names = [Names(Level.TENANT_INTEGRATION, f"t{i}", None, "ga4") for i in range(count)]
    return levels, [group for name in names if (group := levels.find(name)) is not None]


def hours_of(group: int, code: int, hours: range) -> Failed:
    n = len(hours)
    return Failed(np.array(hours), np.full(n, group), np.full(n, code), np.ones(n))


def chance(habit: ReasonHabit, group: int, code: int) -> float:
    nothing = np.zeros(1)
    return float(habit.chance(np.array([group]), np.array([code]), nothing, nothing)[0])


def test_a_reason_is_the_less_likely_the_longer_it_was_not_seen() -> None:
    levels, (one, *_) = of_customers(3)
    habit = ReasonHabit(levels)
    habit.learn(hours_of(one, 1, range(20)))
    after_20 = chance(habit, one, 2)
    habit.learn(hours_of(one, 1, range(20, 200)))
    assert chance(habit, one, 1) > 0.9
    assert chance(habit, one, 2) < 0.3 * after_20 < 0.1
    assert chance(habit, one, 2) < 1.0 / 200


def test_a_reason_that_others_of_the_integration_know_is_less_of_a_surprise() -> None:
    levels, (one, other, _) = of_customers(3)
    habit = ReasonHabit(levels)
    habit.learn(hours_of(one, 1, range(50)))
    unknown = chance(habit, one, 2)
    habit.learn(hours_of(other, 2, range(50)))
    assert chance(habit, one, 2) > 10.0 * unknown


def shares_of(customers: int) -> Shares:
    return Shares(np.full(customers, 0.004), np.full(customers, 0.5))


@pytest.mark.parametrize(
    ("failed", "total", "is_sure"),
    [
        pytest.param([1] * 6, [1] * 12, True, id="each second one's only message: the integration"),
        pytest.param([6], [6] + [1] * 11, False, id="six of one customer: not"),
        pytest.param([1, 1], [1, 1] + [200] * 10, False, id="two, ten who are well: not"),
    ],
)
def test_customers_say_together_what_none_says_alone(
    failed: list[int], total: list[int], is_sure: bool
) -> None:
    lost, all_ = np.zeros((120, len(total))), np.zeros((120, len(total)))
    lost[80, : len(failed)], all_[80] = failed, total
    joint = of_members(shares_of(len(total)), lost, all_, 85)
    assert (joint.is_of_several and joint.nats > 14.0) is is_sure


def told(reasons: list[str]) -> list[Finding]:
    """Of customers that began to fail five minutes ago, each for a reason."""
    levels, groups = of_customers(6)
    log = Reasons(levels)
    now = 60.0 * (NOON + 10)
    open_ = {}
    for flow, (group, reason) in enumerate(zip(groups, reasons, strict=False)):
        failing = Failing(group, 60.0 * NOON, now - 300.0, 30.0, 0.01, 9, 10, 0.5)
        open_[group] = failing
        text = pa.chunked_array([pa.array([reason]).dictionary_encode()])
        log.add(np.array([NOON + 1]), np.array([flow]), text, np.array([9.0]))
    suspicious = np.zeros(levels.group_count)
    return fold_errors(open_, suspicious, set(), levels, log, now)


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        pytest.param(
            ["503", "503"], [(None, Suspected.INTEGRATION)], id="one reason: one incident"
        ),
        pytest.param(
            ["401 unauthorized", "503"],
            [("t0", Suspected.CUSTOMER), ("t1", Suspected.INTEGRATION)],
            id="two reasons: two incidents",
        ),
        pytest.param(
            ["401 unauthorized"] * 2,
            [("t0", Suspected.CUSTOMER), ("t1", Suspected.CUSTOMER)],
            id="two wrong keys are two customers'",
        ),
        pytest.param(
            ["401 unauthorized"] * 3, [(None, Suspected.INTEGRATION)], id="three are no chance"
        ),
    ],
)
def test_who_is_told_of_what(
    reasons: list[str], expected: list[tuple[str | None, Suspected]]
) -> None:
    found = told(reasons)
    assert [(f.scope.tenant, f.suspected) for f in found] == expected
    assert all(f.evidence["why_suspected"] for f in found)
