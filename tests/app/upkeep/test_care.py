"""Problems are logged when they begin and when they are over, not as long as they last."""

from __future__ import annotations

import structlog

from streamgauge.app.upkeep.care import ProblemLog


def test_a_problem_is_told_once_and_its_end_too() -> None:
    turns = iter([[], ["disk"], ["disk"], ["disk", "engine"], ["engine"], [], []])
    problems = ProblemLog(lambda: next(turns))
    told = []
    for _ in range(7):
        with structlog.testing.capture_logs() as logs:
            problems.look()
        told.append([entry.get("reason", entry["event"]) for entry in logs])
    assert told == [[], ["disk"], [], ["engine"], [], ["ready again"], []]
