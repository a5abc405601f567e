"""Fleets whose messages are received once and end at two integrations, and what may go wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fleet import DAY, Fleet, Sender, diurnal
from streamgauge.detect.arrivals import Locator
from streamgauge.detect.levels import Levels
from streamgauge.detect.loss import Loss
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Flow, Scope

LEARNED = 8 * DAY
SHARES = {"ga4": 1.0, "s3": 0.6}
"""How many of the messages received are for each integration."""


def ledger(
    tenants: int = 10,
    days: int = 10,
    per_hour: float = 600.0,
    seed: int = 3,
    kind: str = "exact",
    hourly: float = 0.0,
    latency: int = 0,
) -> Fleet:
    """Customers from a thirtieth to thirty times `per_hour`; errors are 3 of 1,000 ends.

    Args:
        kind: `exact`: all that is received for ga4 ends, and a random 60 % for s3; `loose`: ends
            are a Poisson count of their own; `drifting`: the share that ends wanders by the hour.
        hourly: 1/r of a gamma factor of each hour.
        latency: minutes from received to delivered.
    """
    rng, minutes = np.random.default_rng(seed), days * DAY
    hour = np.arange(minutes) // 60
    senders, ok, failed = [], [], []
    for t in range(tenants):  # a loop over senders, not over rows
        mean = per_hour / 60 * 10 ** rng.uniform(-1.5, 1.5) * diurnal(np.arange(minutes) / 60.0)
        if hourly:
            mean = mean * rng.gamma(1.0 / hourly, hourly, hour[-1] + 1)[hour]
        received = rng.poisson(mean)
        senders.append(Sender(Flow(f"t{t:02d}", "web", "", "main", "received"), 1.0))
        ok.append(received)
        failed.append(np.zeros_like(received))
        for name, share in SHARES.items():
            ends = _ends(kind, rng, received, mean, share, hour)
            ends = np.concatenate([np.zeros(latency, np.int64), ends])[:minutes]
            lost = rng.binomial(ends, 0.003)
            senders.append(Sender(Flow(f"t{t:02d}", "web", name, "main", "delivered"), 1.0))
            ok.append(ends - lost)
            failed.append(lost)
    return Fleet(senders, np.array(ok), np.array(failed))


def _ends(
    kind: str,
    rng: np.random.Generator,
    received: np.ndarray,
    mean: np.ndarray,
    share: float,
    hour: np.ndarray,
) -> np.ndarray:
    if kind == "loose":
        return rng.poisson(mean * share)
    if kind == "drifting":
        steps = rng.normal(0.0, 0.03, hour[-1] + 1)
        walk = np.zeros_like(steps)
        for at in range(1, len(walk)):
            walk[at] = 0.97 * walk[at - 1] + steps[at]
        return rng.binomial(received, np.clip(0.7 * share * np.exp(walk[hour]), 0.0, 1.0))
    return rng.binomial(received, share)


def rows(fleet: Fleet, **wanted: object) -> list[int]:
    """The senders that deliver, and have these tags."""
    return [
        i
        for i, sender in enumerate(fleet.senders)
        if sender.flow.stage == "delivered"
        and all(
            getattr(sender.flow, k) in (v if isinstance(v, set) else {v}) for k, v in wanted.items()
        )
    ]


def lose(
    fleet: Fleet, senders: list[int], first: int, last: int | None, ratio: float, seed: int = 7
) -> int:
    """A share of what these deliver leaves no trace (below zero: is delivered twice); how much."""
    part = fleet.ok[senders, first:last]
    lost = np.random.default_rng(seed).binomial(part, abs(ratio))
    fleet.ok[senders, first:last] = part - lost if ratio > 0 else part + lost
    return int(lost.sum())


def pause(fleet: Fleet, senders: list[int], first: int, last: int, speed: float) -> None:
    """Nothing ends between two minutes, then all of it, at `speed` times the usual rate."""
    for sender in senders:
        waiting = int(fleet.ok[sender, first:last].sum())
        fleet.ok[sender, first:last] = 0
        for minute in range(last, fleet.minutes):
            more = min(waiting, int(fleet.ok[sender, minute] * (speed - 1.0)) + 1)
            fleet.ok[sender, minute] += more
            waiting -= more


class LossWatch:
    """Runs losses alone, and keeps what opened and closed, with the minute of the fleet."""

    def __init__(self, grown: Callable[[Scope, int], tuple[float, float]] | None = None) -> None:
        self.levels = Levels()
        self.locator = Locator(self.levels)
        self.loss = Loss(self.levels, grown or (lambda scope, hour: (0.0, 0.0)))
        self.opened: list[tuple[int, Finding]] = []
        self.closed: list[tuple[int, str, str]] = []
        self.open: dict[str, Finding] = {}

    def learn(self, fleet: Fleet, until: int = LEARNED) -> LossWatch:
        history = fleet.history(until)
        self.loss.learn(self.locator.hours(history.hours))
        self.loss.observe(self.locator.minutes(history.recent.minutes))
        return self

    def run(self, fleet: Fleet, first: int = LEARNED, step: int = 30) -> LossWatch:
        for minute in range(first, fleet.minutes, step):
            last = min(minute + step, fleet.minutes)
            self.loss.observe(self.locator.minutes(fleet.table(minute, last)))
            self.ask(60.0 * (fleet.start + last), last)
        return self

    def ask(self, now: float, minute: int) -> None:
        found = {f.key: f for f in self.loss.judge(Turn(now - 60.0, now, False))}
        self.opened += [(minute, f) for key, f in found.items() if key not in self.open]
        self.closed += [
            (minute, key, self.loss.ended.get(key, "")) for key in self.open if key not in found
        ]
        self.open = found
