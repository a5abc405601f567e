"""How many messages a customer is expected to send in each minute, before any fault."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.fleet.customers import REGIONS, ROUTERS, Batch, Customer, Shape
from bench.fleet.plan import DAY, Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_RESTARTS_A_WEEK = 1.0


@dataclass(frozen=True, slots=True)
class Nuisance:
    """Something that is no fault, and that nobody may be woken for."""

    what: str
    start: int
    end: int
    router: int | None = None
    region: str | None = None


def nuisances_of(plan: Plan) -> list[Nuisance]:
    """Deploys, restarts, and one holiday; none in the well-behaved family."""
    if not plan.is_clumpy:
        return []
    rng = plan.random(2)
    found: list[Nuisance] = []
    for router in range(ROUTERS):
        starts = rng.integers(0, plan.minutes, rng.poisson(_RESTARTS_A_WEEK * plan.days / 7))
        ends = starts + rng.integers(1, 4, len(starts))
        found += [
            Nuisance("restart", at, end, router=router)
            for at, end in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
    for day in range(plan.days):
        if (day % 7) < 5 and rng.random() < 0.6:
            at = day * DAY + int(rng.integers(9 * 60, 17 * 60))
            found.append(Nuisance("deploy", at, at + int(rng.integers(2, 6))))
    region = REGIONS[int(rng.integers(len(REGIONS)))]
    first = min(plan.live_from // DAY + 2, plan.days - 1)
    day = int(rng.integers(first, max(plan.days - 1, first + 1)))
    day -= max(day % 7 - 3, 0)  # not on a weekend, anywhere
    start = day * DAY - round(60 * region.utc_offset_h)
    found.append(Nuisance("holiday", start, start + DAY, region=region.name))
    return found


@dataclass(frozen=True, slots=True)
class Means:
    """Of one customer; arrays are [minutes of the run]."""

    base: Floats
    """Messages expected a minute, all sources together; of a batch while it runs."""
    starts: Ints
    """Minutes in which a batch is due; empty for all others."""
    begun: Ints
    """Minutes in which each of these really began."""


def means_of(plan: Plan, customer: Customer, nuisances: list[Nuisance]) -> Means:
    """The truth about one customer, with its drift from day to day and without hourly factors."""
    rng = plan.random(3, customer.number)
    minute = np.arange(plan.minutes)
    local = minute + round(60 * customer.region.utc_offset_h)
    is_free = np.isin((local // DAY) % 7, customer.region.weekend)
    for one in nuisances:
        if one.what == "holiday" and one.region == customer.region.name:
            is_free[one.start : one.end] = True
    level = _level(plan, customer, rng)
    starts = begun = np.zeros(0, np.int64)
    if customer.batch:
        starts, begun = _batches(plan, customer.batch, rng)
        shape = _running(plan.minutes, begun, customer.batch.length_minutes)
    else:
        shape = np.where(is_free, customer.weekend_share, 1.0) * _of_day(customer.shape, local)
    week = shape[: 7 * DAY].sum() / min(7, plan.days)
    base = shape * level * (customer.per_day / max(week, 1e-9))
    base[: customer.first_minute] = 0.0
    return Means(base, starts, begun)


def _of_day(shape: Shape, local: Ints) -> Floats:
    hour = (local % DAY) / 60.0
    if shape is Shape.OFFICE:
        open_ = 1.0 / (1.0 + np.exp(-3.0 * (hour - 8.5))) / (1.0 + np.exp(3.0 * (hour - 17.5)))
        return np.asarray(0.01 + open_)
    if shape is Shape.CONSUMER:
        return np.asarray(np.exp(1.15 * np.sin(2 * np.pi * (hour - 13.0) / 24.0)))
    return np.ones(len(local))


def _level(plan: Plan, customer: Customer, rng: np.random.Generator) -> Floats:
    """Growth, and a log level that wanders: AR(1) by the day."""
    drift, today = np.zeros(plan.days), 0.0
    for day in range(plan.days):
        today = 0.7 * today + 0.71 * customer.noise.daily * rng.standard_normal()
        drift[day] = today + customer.growth_per_day * day
    return np.exp(np.repeat(drift, DAY))


def _batches(plan: Plan, batch: Batch, rng: np.random.Generator) -> tuple[Ints, Ints]:
    starts = np.arange(batch.at_minute, plan.minutes, batch.every_minutes)
    jitter = np.clip(rng.normal(0.0, batch.jitter_minutes, len(starts)), -4 * batch.jitter_minutes,
                     4 * batch.jitter_minutes)  # fmt: skip
    return starts, np.clip(np.rint(starts + jitter), 0, plan.minutes - 1).astype(np.int64)


def _running(minutes: int, begun: Ints, length: int) -> Floats:
    edges = np.zeros(minutes + 1)
    np.add.at(edges, begun, 1.0)
    np.add.at(edges, np.minimum(begun + length, minutes), -1.0)
    return np.minimum(np.cumsum(edges)[:minutes], 1.0)
