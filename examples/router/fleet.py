"""Who sends what where: the customers, their sizes and routes, all from one seed.

Load and history both read it, so that the habits learned from generated history are the habits of
the live traffic. Sizes follow Zipf's law with a tail that is bent down to one message a minute.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEED = 267
LARGEST_PER_S = 150.0
SMALLEST_PER_S = 1 / 60
ZIPF_EXPONENT = 1.2
PERIOD_S = 2.0
"""Between two posts of one source."""

NAMES = (
    *("northwind", "globex", "initech", "umbra", "hooli", "vandelay", "wonka", "stark"),
    *("acme", "cyberdyne", "tyrell", "soylent", "massive", "oscorp", "pied-piper", "duff"),
    *("monarch", "bluth", "gringotts", "wernham", "dunder", "sirius", "prestige", "kwik"),
)
SOURCES = ("web", "ios", "android", "server")
SHARES = ((1.0,), (0.7, 0.3), (0.55, 0.3, 0.15))


@dataclass(frozen=True, slots=True)
class Vendor:
    """How an integration's vendor behaves on a normal day."""

    name: str
    median_s: float
    """Median time it takes to answer; the spread is log-normal."""
    sigma: float
    rejected_ratio: float
    """Share of events it refuses for good (malformed, from its point of view)."""
    unavailable_ratio: float
    """Share of requests it answers with 503, to be tried again."""


VENDORS = (
    Vendor("ga4", 0.060, 0.35, 0.002, 0.001),
    Vendor("webhook", 0.140, 0.55, 0.004, 0.002),
    Vendor("braze", 0.090, 0.40, 0.003, 0.001),
    Vendor("s3", 0.045, 0.25, 0.0005, 0.0005),
    Vendor("bigquery", 0.110, 0.30, 0.001, 0.001),
)
CONSENT_FILTERED = frozenset({"ga4", "braze"})
"""Integrations that a customer with the consent rule does not send unconsented events to."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One tenant of the platform."""

    name: str
    key: str
    """What it authenticates with at the router's ingest."""
    messages_per_s: float
    """Over all its sources, averaged over a day."""
    sources: tuple[tuple[str, float], ...]
    """(source, share of the customer's messages); shares sum to 1."""
    integrations: tuple[str, ...]
    has_consent_rule: bool
    refused_ratio: float
    """Share of its events whose user gave no consent."""

    def filtered_ratio(self, integration: str) -> float:
        """Share of its events that its rules keep from `integration`."""
        applies = self.has_consent_rule and integration in CONSENT_FILTERED
        return self.refused_ratio if applies else 0.0


def sizes(count: int) -> list[float]:
    """Messages a second of `count` customers, largest first."""
    bend = math.log(LARGEST_PER_S * count**-ZIPF_EXPONENT / SMALLEST_PER_S)
    return [
        LARGEST_PER_S
        * rank**-ZIPF_EXPONENT
        * math.exp(-bend * ((rank - 1) / max(count - 1, 1)) ** 3)
        for rank in range(1, count + 1)
    ]


def customers(seed: int = SEED) -> tuple[Customer, ...]:
    """The customers, largest first; the same for the same seed."""
    rng = np.random.default_rng(seed)
    return tuple(
        _customer(rng, name, rate) for name, rate in zip(NAMES, sizes(len(NAMES)), strict=True)
    )


def _customer(rng: np.random.Generator, name: str, rate: float) -> Customer:
    source_count = int(rng.integers(1, 4)) if rate > 4 else 1
    chosen = rng.choice(len(SOURCES), size=source_count, replace=False)
    sources = zip((SOURCES[i] for i in chosen), SHARES[source_count - 1], strict=True)
    routed = rng.permutation(len(VENDORS))[: int(rng.integers(2, 4 if rate > 12 else 3))]
    return Customer(
        name=name,
        key=f"key-{name}",
        messages_per_s=rate,
        sources=tuple(sources),
        integrations=tuple(VENDORS[i].name for i in sorted(routed)),
        has_consent_rule=bool(rng.random() < 0.5),
        refused_ratio=float(rng.uniform(0.03, 0.08)),
    )


def daily_factor(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much more than average is sent at these instants (epoch seconds, UTC).

    A mild day: ±25 % with its top at 14:00, and a tenth less at the week-end.
    """
    hour = at / 3600 % 24
    day = (at // 86400 + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    week = np.where(day >= 5, 0.9, 1.0)
    factor: NDArray[np.float64] = (1 + 0.25 * np.cos((hour - 14) / 24 * 2 * np.pi)) * week
    return factor
