"""Judges the last days once more, once for each budget of false pages, by the code of `up`.

What was stored is asked of a running server as sums by minute; the clock is simulated.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx
import numpy as np

from streamgauge.app.commands.flows import asked
from streamgauge.app.decide.judge import Judge
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.detector import Detector
from streamgauge.detect.expectations import Expectations
from streamgauge.model.clock import rfc3339
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.feed import Delta
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident
from streamgauge.model.instants import read_instant
from streamgauge.web.record_files import unpack_delta, unpack_history

PIECE_MINUTES = 6 * 60
_SETTLED_S = 1.0
"""A minute is judged so long after its end."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What one budget came to."""

    false_pages: float
    incidents: list[Incident]


def judge_anew(client: httpx.Client, first: int, end: int, budgets: Sequence[float]) -> list[Tuned]:
    """What each budget would have opened in `first` <= minute < `end`, minutes since the epoch."""
    said = Expectations(tuple(_said(client)))
    past = unpack_history(_body(client, "/api/v1/detect/past", {"until": 60.0 * first}))
    judges = [Judge(Detector(said, FalsePages.of_platform(one)), make_id=_ids()) for one in budgets]
    for judge in judges:
        judge.detector.learn(past)
    found: list[dict[str, Incident]] = [{} for _ in judges]
    for minute, delta in _minutes(client, first, end):
        for judge, opened in zip(judges, found, strict=True):
            judge.detector.observe(delta)
            changes = judge.decide(60.0 * (minute + 1) + _SETTLED_S)
            judge.accept(change.incident for change in changes)
            opened |= {change.incident.id: change.incident for change in changes}
    return [Tuned(one, list(f.values())) for one, f in zip(budgets, found, strict=True)]


def _ids() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: str(next(numbers))


def _minutes(client: httpx.Client, first: int, end: int) -> Iterator[tuple[int, Delta]]:
    """Each minute with what is stamped in it."""
    for start in range(first, end, PIECE_MINUTES):
        stop = min(start + PIECE_MINUTES, end)
        bounds = {"first": start, "end": stop}
        piece = unpack_delta(_body(client, "/api/v1/detect/minutes", bounds))
        edges = np.arange(start, stop + 1)
        of_flows = np.searchsorted(piece.minutes.column("minute").to_numpy(), edges)
        of_queues = np.searchsorted(piece.queues.column("minute").to_numpy(), edges)
        for place, minute in enumerate(range(start, stop)):
            rows = piece.minutes.slice(of_flows[place], of_flows[place + 1] - of_flows[place])
            queues = piece.queues.slice(of_queues[place], of_queues[place + 1] - of_queues[place])
            newest = int(rows.column("last_ns").to_numpy().max(initial=0))
            yield minute, Delta(rows, queues, newest)
        if sys.stderr.isatty():
            print(f"\r\x1b[Kjudged to {rfc3339(60.0 * stop)}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _body(client: httpx.Client, path: str, query: dict[str, float] | dict[str, int]) -> bytes:
    answer = client.get(path, params=query)
    if not answer.is_success:
        asked(answer)
    return answer.content


def _said(client: httpx.Client) -> Iterator[ExpectedFlow]:
    """What people say of flows now."""
    for one in asked(client.get("/api/v1/flows", params={"limit": 1}))["declared"]:
        yield ExpectedFlow(
            Scope(one["tenant"], one["source"], one["integration"], one["pipeline"]),
            declared_at=read_instant(one["declared_at"]),
            expected_within_s=one["expected_within_s"],
            first_message_by=_instant(one["first_message_by"]),
            calendar=one["calendar"],
            paused_until=_instant(one["paused_until"]),
            retired_at=_instant(one["retired_at"]),
        )


def _instant(text: str | None) -> float | None:
    return None if text is None else read_instant(text)
