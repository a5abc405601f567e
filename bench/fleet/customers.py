"""Draws the customers of a fleet: how large, where, when they send, and by which ways."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np

from bench.fleet.plan import DAY, Plan

INTEGRATIONS = (
    "ga4", "s3", "webhook", "braze", "kafka", "redshift",
    "bigquery", "segment", "mixpanel", "hubspot", "slack", "snowflake",
)  # fmt: skip
SOURCES = ("web", "server", "ios", "android")
ROUTERS = 6
LARGEST_PER_DAY = 4_000_000.0
SMALLEST_PER_DAY = 3.0
_FLAT_TOP = 20
"""A Zipf-Mandelbrot law: q is a twentieth of the fleet, so that each size class is there."""


class Size(IntEnum):
    """Classes by messages a day, for figures."""

    TINY = 10
    SMALL = 100
    MIDDLE = 1_000
    LARGE = 50_000
    HUGE = 10**12


class Shape(StrEnum):
    """When a customer sends."""

    OFFICE = "office"
    CONSUMER = "consumer"
    FLAT = "flat"
    BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Region:
    """Where people live; days of the week from Monday 0."""

    name: str
    utc_offset_h: float
    weekend: tuple[int, int]
    share: float


REGIONS = (
    Region("americas", -5, (5, 6), 0.4),
    Region("europe", 1, (5, 6), 0.35),
    Region("gulf", 4, (4, 5), 0.1),
    Region("asia", 8, (5, 6), 0.15),
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Starts on a clock, each a little late."""

    every_minutes: int
    at_minute: int
    length_minutes: int
    jitter_minutes: float
    """Standard deviation."""


@dataclass(frozen=True, slots=True)
class Noise:
    """How much more than Poisson. 1/r of gamma factors, but for `daily`."""

    minute: float = 0.0
    hour: float = 0.0
    daily: float = 0.0
    """Standard deviation of the log level, day to day."""
    error_hour: float = 0.0
    late_share: float = 0.0
    """Of minutes that arrive 1 to 30 minutes late, as a whole."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One of the fleet. Sequences by source, or by integration, are in the order of those."""

    number: int
    per_day: float
    shape: Shape
    region: Region
    weekend_share: float
    sources: tuple[str, ...]
    source_shares: tuple[float, ...]
    integrations: tuple[int, ...]
    filtered: tuple[float, ...]
    error_ratio: tuple[float, ...]
    has_received: bool
    router: int
    growth_per_day: float
    first_minute: int
    last_minute: int
    """It is gone from here on; the length of the run where it stays."""
    is_leaving_told: bool
    """Its leaving is declared, so that nobody has to be woken."""
    batch: Batch | None
    noise: Noise

    @property
    def name(self) -> str:
        """The tenant's tag."""
        return f"c{self.number:03d}"

    @property
    def size(self) -> Size:
        """Its class."""
        return next(size for size in Size if self.per_day <= size)


def customers_of(plan: Plan) -> list[Customer]:
    """The fleet, the largest first."""
    return [_customer(plan, number) for number in range(plan.customers)]


def _per_day(number: int, count: int) -> float:
    q = max(count / _FLAT_TOP, 1.0)
    exponent = np.log(LARGEST_PER_DAY / SMALLEST_PER_DAY) / np.log((count - 1 + q) / q)
    return float(LARGEST_PER_DAY * ((number + q) / q) ** -exponent)


def _customer(plan: Plan, number: int) -> Customer:
    rng, per_day = plan.random(1, number), _per_day(number, plan.customers)
    shape = Shape(rng.choice(list(Shape), p=[0.35, 0.3, 0.25, 0.1]))
    sources, integrations = _ways(rng)
    first, last, is_told = _stay(plan, rng)
    return Customer(
        number=number,
        per_day=per_day,
        shape=shape,
        region=REGIONS[rng.choice(len(REGIONS), p=[region.share for region in REGIONS])],
        weekend_share=float(rng.choice([0.003, 0.05, 0.3]) if shape is Shape.OFFICE else
                            rng.uniform(0.8, 1.3) if shape is Shape.CONSUMER else 1.0),
        sources=sources,
        source_shares=tuple(rng.dirichlet(np.full(len(sources), 3.0)).tolist()),
        integrations=integrations,
        filtered=tuple(
            float(rng.uniform(0.02, 0.4)) if rng.random() < 0.3 else 0.0 for _ in integrations
        ),
        error_ratio=tuple(
            float(min(np.exp(rng.normal(np.log(0.002), 1.2)), 0.08)) for _ in integrations
        ),
        has_received=bool(rng.random() < 0.6),
        router=int(rng.integers(ROUTERS)),
        growth_per_day=float(rng.normal(0.0, 0.004)),
        first_minute=first,
        last_minute=last,
        is_leaving_told=is_told,
        batch=_batch(plan, rng, per_day) if shape is Shape.BATCH else None,
        noise=_noise(plan, rng),
    )  # fmt: skip


def _ways(rng: np.random.Generator) -> tuple[tuple[str, ...], tuple[int, ...]]:
    count = int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15]))
    sources = tuple(sorted(rng.choice(SOURCES, count, replace=False).tolist()))
    fan_out = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.35, 0.2, 0.1]))
    popular = 1.0 / np.arange(2, len(INTEGRATIONS) + 2)
    chosen = rng.choice(len(INTEGRATIONS), fan_out, replace=False, p=popular / popular.sum())
    return sources, tuple(sorted(chosen.tolist()))


def _stay(plan: Plan, rng: np.random.Generator) -> tuple[int, int, bool]:
    """A twentieth come during the run, a twentieth leave, half of those without a word."""
    latest = max(plan.faults_from, plan.minutes - DAY)
    luck, at = rng.random(), int(rng.uniform(plan.faults_from, latest))
    if luck < 0.05:
        return at, plan.minutes, False
    if luck < 0.1 and plan.has_faults:
        return 0, at, luck < 0.075
    if luck < 0.1:
        return 0, at, True
    return 0, plan.minutes, False


def _batch(plan: Plan, rng: np.random.Generator, per_day: float) -> Batch:
    every = int(rng.choice([60, 360, DAY], p=[0.4, 0.2, 0.4])) if per_day >= 200.0 else DAY
    spread = 12.0 if plan.is_clumpy else 2.0
    return Batch(
        every_minutes=every,
        at_minute=int(rng.integers(every)),
        length_minutes=int(rng.integers(4, max(every // 8, 5))),
        jitter_minutes=float(rng.uniform(0.2, 1.0) * min(spread, every / 12)),
    )


def _noise(plan: Plan, rng: np.random.Generator) -> Noise:
    if not plan.is_clumpy:
        return Noise(minute=float(rng.choice([0.0, 0.1])), error_hour=float(rng.choice([0.0, 0.1])))
    return Noise(
        minute=float(np.exp(rng.normal(0.0, 0.7))),
        hour=float(rng.uniform(0.03, 0.4)),
        daily=float(rng.uniform(0.05, 0.3)),
        error_hour=float(rng.uniform(0.2, 2.0)),
        late_share=0.02 if rng.random() < 0.15 else 0.0,
    )
