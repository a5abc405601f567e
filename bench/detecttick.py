"""What a turn of detection costs over a million flows, on one core.

100,000 customers of 10 flows each (two sources, five integrations), or what `--flows` leaves of
them. Two platforms, as no turn may look like a fault:

- a typical one, learned from eight days: of its flows 1.8 % send every minute and the others a
  message in ten hours, so that 2 % are active in a minute.
- a busy one, learned from one day: every flow sends every minute.

The first turn learns what failed before; then habits are fitted step by step to the end, as a
refresh does, before turns are measured. Processor time, `observe` and `evaluate` together; a
hundredth of all rows has failed, always.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.report import table
from bench.usage import resident_bytes
from streamgauge.detect.detector import Detector
from streamgauge.model.feed import Delta, History

FLOWS = 1_000_000
FLOWS_A_CUSTOMER = 10
TYPICAL_TURNS = 20
BUSY_TURNS = 5
TYPICAL_HOURS = 192
BUSY_HOURS = 24
BUSY_SHARE = 0.018
SLOW_AN_HOUR = 0.1
START_HOUR = 490_128
"""Hours since the epoch: a Thursday, 00:00 UTC."""
_SOURCES = ("web", "server")
_INTEGRATIONS = ("ga4", "s3", "webhook", "braze", "kafka")
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Turn:
    """Processor seconds of one turn."""

    observe_s: float
    evaluate_s: float

    @property
    def total_s(self) -> float:
        """Both."""
        return self.observe_s + self.evaluate_s


class Platform:
    """Tables of a platform with so many flows, of which a share sends every minute."""

    def __init__(self, flows: int, busy_share: float, hours: int) -> None:
        self._flows, self._hours = flows, hours
        self._busy = round(flows * busy_share)
        self._random = np.random.default_rng(17)
        tenants = np.arange(-(-flows // FLOWS_A_CUSTOMER))
        self._tenants = pa.array([f"t{number:06d}" for number in tenants])
        self._order = self._random.permutation(flows)
        """The busy ones first."""

    def history(self) -> History:
        """Hours up to the beginning, and no minute after them."""
        flow, hour, count = self._hours_sent()
        has_failed = self._random.random(len(flow)) < 0.01
        hours = pa.table(
            {
                "hour": pa.array(hour),
                **self._tags(flow, has_failed, with_reason=False),
                "count": pa.array(count.astype(np.uint64)),
                "active_minutes": pa.array(np.minimum(count, 60).astype(np.uint8)),
                "last_ns": pa.array((hour + 1) * 3_600_000_000_000 - 1_000_000_000),
            }
        )
        seen = np.arange((START_HOUR - self._hours) * 60, START_HOUR * 60)
        nothing = self._minute(START_HOUR * 60 - 1, np.zeros(0, np.int64))
        return History(hours, nothing, START_HOUR * 60, pa.array(seen))

    def _hours_sent(self) -> tuple[Ints, Ints, Ints]:
        """Flow, hour and count of each row, hour by hour."""
        first, slow = START_HOUR - self._hours, self._flows - self._busy
        parts = []
        for hour in range(first, START_HOUR):
            some = self._random.choice(slow, round(slow * SLOW_AN_HOUR), replace=False)
            flow = self._order[np.concatenate([np.arange(self._busy), self._busy + some])]
            count = np.where(np.arange(len(flow)) < self._busy, 120, 1)
            parts.append((flow, np.full(len(flow), hour), count))
        flow, hours, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
        return flow, hours, counts

    def delta(self, minute: int) -> Delta:
        """One minute of it."""
        slow = self._flows - self._busy
        some = self._random.choice(slow, round(slow * SLOW_AN_HOUR / 60.0), replace=False)
        places = np.concatenate([np.arange(self._busy), self._busy + some])
        return self._minute(minute, np.sort(self._order[places]))

    def _minute(self, minute: int, flow: Ints) -> Delta:
        stamp = np.full(len(flow), minute * 60_000_000_000 + 30_000_000_000)
        has_failed = self._random.random(len(flow)) < 0.01
        minutes = pa.table(
            {
                "minute": pa.array(np.full(len(flow), minute)),
                **self._tags(flow, has_failed),
                "count": pa.array(np.full(len(flow), 2, np.uint64)),
                "first_ns": pa.array(stamp),
                "last_ns": pa.array(stamp),
            }
        )
        return Delta(minutes, _no_queues(), minute * 60_000_000_000 + 59_000_000_000)

    def _tags(
        self, flow: Ints, has_failed: NDArray[np.bool_], *, with_reason: bool = True
    ) -> dict[str, pa.DictionaryArray]:
        """Each table has dictionaries of its own, as those of the store have."""
        tenant, way = np.divmod(flow, FLOWS_A_CUSTOMER)
        present, numbers = np.unique(tenant, return_inverse=True)
        tags = {
            "tenant": _coded(numbers, self._tenants.take(pa.array(present))),
            "source": _coded(way // len(_INTEGRATIONS), pa.array(_SOURCES)),
            "integration": _coded(way % len(_INTEGRATIONS), pa.array(_INTEGRATIONS)),
            "pipeline": _coded(np.zeros(len(flow)), pa.array(["main"])),
            "stage": _coded(np.zeros(len(flow)), pa.array(["delivered"])),
            "outcome": _coded(has_failed, pa.array(["ok", "error"])),
        }
        if with_reason:
            tags["reason"] = _coded(has_failed, pa.array(["", "timeout"]))
        return tags


def _coded(numbers: NDArray[np.generic], names: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(np.int32)), names)


def _no_queues() -> pa.Table:
    tags = {
        tag: _coded(np.zeros(0), pa.array([""]))
        for tag in ("queue", "pipeline", "integration", "tenant")
    }
    fields = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers")
    numbers = {name: pa.array([], pa.float64()) for name in fields}
    return pa.table({"minute": pa.array([], pa.int64()), **tags, **numbers,
                     "last_ns": pa.array([], pa.int64())})  # fmt: skip


def _turn(detector: Detector, delta: Delta, now: float) -> Turn:
    began = time.process_time()
    detector.observe(delta)
    observed = time.process_time()
    detector.evaluate(now)
    return Turn(observed - began, time.process_time() - observed)


@dataclass(frozen=True, slots=True)
class Measured:
    """One platform's turns."""

    learned_s: float
    first: Turn
    fits: list[Turn]
    """With nothing new to judge, each with a step of fitting habits."""
    turns: list[Turn]
    held_bytes: int


def measured(platform: Platform, turns: int) -> Measured:
    """Learn its history, then take so many minutes after the first one."""
    before, detector = resident_bytes(os.getpid()), Detector()
    history = platform.history()
    began = time.process_time()
    detector.learn(history)
    learned_s = time.process_time() - began
    del history
    minute = START_HOUR * 60
    first = _turn(detector, platform.delta(minute), 60.0 * minute + 61.0)
    fits = _fits(detector, 60.0 * minute + 61.0)
    found = []
    for _ in range(turns):
        minute += 1
        found.append(_turn(detector, platform.delta(minute), 60.0 * minute + 61.0))
    held = resident_bytes(os.getpid()) - before
    return Measured(learned_s, first, fits, found, held)


def _fits(detector: Detector, now: float) -> list[Turn]:
    """Turns until every habit is fitted anew."""
    found = []
    while detector.is_fitting:
        began = time.process_time()
        detector.evaluate(now)
        found.append(Turn(0.0, time.process_time() - began))
    return found


def detecttick_text(flows: int = FLOWS) -> str:
    """The section of `bench/RESULTS.md`."""
    typical = measured(Platform(flows, BUSY_SHARE, TYPICAL_HOURS), TYPICAL_TURNS)
    busy = measured(Platform(flows, 1.0, BUSY_HOURS), BUSY_TURNS)
    rows = [
        _row(f"2 % of the flows active, median of {TYPICAL_TURNS}", typical.turns, 50.0),
        _row(f"all flows active, median of {BUSY_TURNS}", busy.turns, 150.0),
        _row("every habit fitted anew, all steps", [_sum(typical.fits)], 60_000.0),
    ]
    return "\n".join(
        [
            "## What a turn of detection costs, `python -m bench detecttick`",
            "",
            f"{flows:,} flows of {-(-flows // FLOWS_A_CUSTOMER):,} customers on one core, "
            f"processor milliseconds. Eight days were learned in {typical.learned_s:.1f} s; the "
            f"process grew by {typical.held_bytes / 1e6:,.0f} MB, "
            f"{typical.held_bytes / flows:,.0f} bytes a flow. The "
            f"first turn took {typical.first.total_s:.1f} s; habits were fitted in "
            f"{len(typical.fits)} steps, of {_longest_ms(typical.fits):,.0f} ms at most.",
            "",
            *table(["turn", "observe", "evaluate", "together", "goal at 1 M flows", ""], rows),
        ]
    )


def _sum(turns: list[Turn]) -> Turn:
    return Turn(sum(turn.observe_s for turn in turns), sum(turn.evaluate_s for turn in turns))


def _longest_ms(turns: list[Turn]) -> float:
    return 1000.0 * max((turn.total_s for turn in turns), default=0.0)


def _row(words: str, turns: list[Turn], goal_ms: float) -> tuple[str, ...]:
    observe = 1000.0 * float(np.median([turn.observe_s for turn in turns]))
    evaluate = 1000.0 * float(np.median([turn.evaluate_s for turn in turns]))
    total = 1000.0 * float(np.median([turn.total_s for turn in turns]))
    reached = "reached" if total <= goal_ms else "**missed**"
    figures = (f"{ms:,.1f}" for ms in (observe, evaluate, total))
    return (words, *figures, f"≤ {goal_ms:,.0f}", reached)
