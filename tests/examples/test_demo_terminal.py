"""What the demonstration prints, in a terminal and elsewhere."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

import pytest
from examples.router.demo.gauge import Gauge
from examples.router.demo.terminal import Terminal
from examples.router.demo.watch import Watch
from rich.console import Console

LONG = "paged: P2 Integration braze fails for 3 of 11 customers since 06:58 UTC: 75 of 347 failed"
INCIDENT: dict[str, Any] = {
    "id": "e1",
    "kind": "errors",
    "severity": "P2",
    "integration": "braze",
    "opened_at": "2026-11-24T06:58:37Z",
    "closed_at": None,
    "summary": "braze fails",
    "suspected": "integration",
    "evidence": {},
    "affected": ["acme", "wonka"],
}
OVERVIEW: dict[str, Any] = {
    "messages_per_second": 1.0,
    "error_ratio": 0.0,
    "latency": {"p50_s": None, "p99_s": None},
    "queue": {"backlog": None, "wait": {"p99_s": None}},
    "state": "ok",
}


@pytest.mark.parametrize(
    ("is_terminal", "lines"),
    [
        pytest.param(True, 1, id="one line in a terminal"),
        pytest.param(False, 1, id="one line, whole, in a file"),
    ],
)
def test_a_page_is_told_in_one_line(is_terminal: bool, lines: int) -> None:
    output = StringIO()
    console = Console(file=output, force_terminal=is_terminal, width=60, highlight=False)
    Terminal(console).say_briefly(LONG)
    told = output.getvalue()
    assert told.count("\n") == lines
    assert (LONG in told) is not is_terminal


class Answers(Gauge):
    """A gauge that says what it is told to."""

    def __init__(self, told: list[list[dict[str, Any]]]) -> None:
        super().__init__("http://gauge.invalid")
        self._told = iter(told)

    async def overview(self, from_s: float, to_s: float) -> dict[str, Any]:
        return OVERVIEW

    async def incidents(self) -> list[dict[str, Any]]:
        return next(self._told)


def test_the_end_names_everyone_who_was_ever_hurt() -> None:
    output = StringIO()
    closed = INCIDENT | {"closed_at": "2026-11-24T07:02:00Z", "affected": ["wonka"]}
    watch = Watch(
        Answers([[INCIDENT], [closed]]), Terminal(Console(file=output, width=100, highlight=False))
    )

    async def look_twice() -> None:
        await watch.look("")
        await watch.look("")

    asyncio.run(look_twice())
    told = output.getvalue()
    assert told.count("(affected: acme, wonka)") == 2
    assert told.index("opened: errors") < told.index("closed: errors")
