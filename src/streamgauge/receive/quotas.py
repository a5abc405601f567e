"""What each tenant may send: lines and bytes a second, and active series. Off until configured.

Whoever receives opens an `Admission` for each body and asks it with sums by tenant, never with
lines. A tenant is refused as a whole within one body, so that a sender who is told to try again
sends nothing twice; others in the same body are not touched by it.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.model.errors import Overloaded
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.activeseries import ActiveSeries
from streamgauge.receive.bucket import TokenBucket
from streamgauge.receive.hashes import Hashes

MAX_TOLD = 3
"""Limits named in one answer."""
MAX_TENANTS = 50_000
"""Tenants counted one by one; those beyond share one allowance."""


@dataclass(frozen=True, slots=True)
class TenantLimits:
    """Of one tenant; None: not limited."""

    lines_per_s: float | None = None
    bytes_per_s: float | None = None
    active_series: int | None = None

    @property
    def is_on(self) -> bool:
        """Whether anything is limited."""
        return (self.lines_per_s, self.bytes_per_s, self.active_series) != (None, None, None)


@dataclass(frozen=True, slots=True)
class QuotaSettings:
    """The limits of all tenants."""

    default: TenantLimits = TenantLimits()
    tenants: Mapping[str, TenantLimits] = field(default_factory=dict)
    """Those that have limits of their own."""
    burst_s: float = 10.0
    """A rate may be saved up for so long and then spent at once."""

    def of(self, tenant: str) -> TenantLimits:
        """The limits of a tenant."""
        return self.tenants.get(tenant, self.default)

    @property
    def is_on(self) -> bool:
        """Whether anybody is limited."""
        return self.default.is_on or any(one.is_on for one in self.tenants.values())


@dataclass(frozen=True, slots=True)
class Usage:
    """What a body brings of each tenant; arrays are [n_tenants]."""

    tenants: Sequence[str]
    lines: NDArray[np.int64]
    bytes: NDArray[np.int64]

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Tenant, lines, bytes."""
        return zip(self.tenants, self.lines.tolist(), self.bytes.tolist(), strict=True)

    def only(self, chosen: list[bool]) -> Usage:
        """Of these tenants."""
        if all(chosen):
            return self
        return Usage(list(compress(self.tenants, chosen)), self.lines[chosen], self.bytes[chosen])

    def negative(self) -> Usage:
        """As much less."""
        return Usage(self.tenants, -self.lines, -self.bytes)


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A tenant's lines that may not come in now."""

    tenant: str
    reason: RefusalReason
    text: str
    """For people: which limit, and what to do."""
    wait_s: float
    """Until there is room."""


class OverQuota(Overloaded):
    """Nothing of a body may come in now: all of it belongs to tenants over their limits."""

    def __init__(self, over: Sequence[OverLimit], parsed: Parsed) -> None:
        wait_s = max(math.ceil(max(one.wait_s for one in over)), 1)
        told = "; ".join(dict.fromkeys(one.text for one in over[:MAX_TOLD]))
        super().__init__(f"{told}; nothing was kept: send the same again in {wait_s} s", wait_s)
        self.parsed = parsed


class Quotas:
    """The allowances of all tenants. Threads may share it."""

    def __init__(
        self, clock: Clock, settings: QuotaSettings, max_tenants: int = MAX_TENANTS
    ) -> None:
        self.clock, self.settings = clock, settings
        self._max_buckets = 2 * max_tenants
        self._buckets: dict[tuple[str, RefusalReason], TokenBucket] = {}
        self._active = ActiveSeries()
        self.limits_series = any(
            one.active_series is not None for one in (settings.default, *settings.tenants.values())
        )
        """Whether anybody's series are limited."""
        self._lock = threading.Lock()

    def admission(self) -> Admission | None:
        """For one body; None: nobody is limited, there is nothing to ask."""
        return Admission(self) if self.settings.is_on else None

    def take(self, usage: Usage) -> dict[str, OverLimit]:
        """Spend what a body brings; the tenants that are over a limit, who spend nothing."""
        now = self.clock.now()
        with self._lock:
            told = [self._take(*row, now) for row in usage.rows()]
        return {over.tenant: over for over in told if over}

    def _take(self, tenant: str, lines: int, size: int, now: float) -> OverLimit | None:
        asked = [
            (reason, rate, amount, self._bucket(tenant, reason, rate, now))
            for reason, rate, amount in self._rates(tenant, lines, size)
        ]
        waits = [
            (bucket.wait_s(amount, now), reason, rate) for reason, rate, amount, bucket in asked
        ]
        wait_s, reason, rate = max(waits, default=(0.0, RefusalReason.LINES_PER_S, 0.0))
        if wait_s > 0:
            return OverLimit(tenant, reason, self._rate_text(tenant, reason, rate), wait_s)
        for _, _, amount, bucket in asked:
            bucket.take(amount)
        return None

    def charge(self, usage: Usage) -> None:
        """Spend it whatever is left, or (negative amounts) give it back."""
        now = self.clock.now()
        with self._lock:
            for tenant, lines, size in usage.rows():
                for reason, rate, amount in self._rates(tenant, lines, size):
                    self._bucket(tenant, reason, rate, now).take(amount)

    def admit_series(self, tenant: str, series: Hashes) -> NDArray[np.bool_]:
        """Which of these distinct series of a tenant may come in; they are active from now."""
        limit = self.settings.of(tenant).active_series
        if limit is None:
            return np.ones(len(series), bool)
        with self._lock:
            return self._active.admit(tenant, series, limit, self.clock.now())

    def over_series(self, tenant: str) -> OverLimit:
        """What a tenant with too many series is told."""
        limit = self.settings.of(tenant).active_series or 0
        text = (
            f"customer {_shown(tenant)} has {limit:,} active series, which is its limit: send "
            f"fewer distinct tag values, or raise active_series {_where(self.settings, tenant)}"
        )
        with self._lock:
            wait_s = self._active.wait_s(self.clock.now())
        return OverLimit(tenant, RefusalReason.ACTIVE_SERIES, text, wait_s)

    def _rates(self, tenant: str, lines: int, size: int) -> list[tuple[RefusalReason, float, int]]:
        limits = self.settings.of(tenant)
        rates = (
            (RefusalReason.LINES_PER_S, limits.lines_per_s, lines),
            (RefusalReason.BYTES_PER_S, limits.bytes_per_s, size),
        )
        return [(reason, rate, amount) for reason, rate, amount in rates if rate is not None]

    def _bucket(self, tenant: str, reason: RefusalReason, rate: float, now: float) -> TokenBucket:
        found = self._buckets.get((tenant, reason))
        if found is None:
            if len(self._buckets) >= self._max_buckets:
                self._forget_full(now)
            if len(self._buckets) >= self._max_buckets:
                tenant = ""
            found = self._buckets.setdefault(
                (tenant, reason), TokenBucket(rate, rate * self.settings.burst_s, now)
            )
        return found

    def _forget_full(self, now: float) -> None:
        self._buckets = {key: one for key, one in self._buckets.items() if not one.is_full(now)}

    def _rate_text(self, tenant: str, reason: RefusalReason, rate: float) -> str:
        what = "lines" if reason is RefusalReason.LINES_PER_S else "bytes"
        return (
            f"customer {_shown(tenant)} is over its limit of {rate:,g} {what}/s (bursts of "
            f"{rate * self.settings.burst_s:,g}): send less, or raise {what}_per_second "
            f"{_where(self.settings, tenant)}"
        )


def _shown(tenant: str) -> str:
    return tenant[:100] or "(none)"


def _where(settings: QuotaSettings, tenant: str) -> str:
    if tenant in settings.tenants:
        return f'in the [[limit]] of tenant "{tenant[:100]}"'
    return f'in [limits], or by a [[limit]] with tenant = "{tenant[:100]}"'


class Admission:
    """One body's way through the quotas.

    A large body is asked for in parts: what holds for a tenant in the first part where it occurs
    holds for the whole body, so later parts may make a debt.
    """

    def __init__(self, quotas: Quotas) -> None:
        self._quotas = quotas
        self._spent: list[Usage] = []
        self._met: set[str] = set()
        self._refused: dict[str, OverLimit] = {}
        self._over_series: dict[str, OverLimit] = {}

    @property
    def over(self) -> list[OverLimit]:
        """What was refused so far."""
        return [*self._refused.values(), *self._over_series.values()]

    @property
    def limits_series(self) -> bool:
        """Whether anybody's series are limited."""
        return self._quotas.limits_series

    def text(self, reason: RefusalReason, tenant: str) -> str:
        """What the sender of a refused line is told."""
        told = self._over_series if reason is RefusalReason.ACTIVE_SERIES else self._refused
        return told[tenant].text

    def admit(self, usage: Usage) -> Mapping[str, OverLimit]:
        """Which tenants may not come in; the others have spent what they bring."""
        is_met = [tenant in self._met for tenant in usage.tenants]
        is_refused = [tenant in self._refused for tenant in usage.tenants]
        self._refused |= self._quotas.take(usage.only([not met for met in is_met]))
        later = [met and not refused for met, refused in zip(is_met, is_refused, strict=True)]
        self._quotas.charge(usage.only(later))
        self._spent.append(usage.only([name not in self._refused for name in usage.tenants]))
        self._met.update(usage.tenants)
        return self._refused

    def admit_series(self, tenant: str, series: Hashes) -> NDArray[np.bool_]:
        """Which of these series of a tenant may come in; they are active from now."""
        is_in = self._quotas.admit_series(tenant, series)
        if not is_in.all() and tenant not in self._over_series:
            self._over_series[tenant] = self._quotas.over_series(tenant)
        return is_in

    def give_back(self) -> None:
        """Nothing of the body was kept after all: it was a known retry, or the store refused."""
        for usage in self._spent:
            self._quotas.charge(usage.negative())
        self._spent.clear()
